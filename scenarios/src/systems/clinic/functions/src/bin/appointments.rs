//! `appointments`.

fn main() -> Result<(), lambda_runtime::Error> {
    clinic_functions::programs::appointments()
}
