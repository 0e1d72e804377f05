//! `close-record`.

fn main() -> Result<(), lambda_runtime::Error> {
    audit_functions::programs::close_record()
}
