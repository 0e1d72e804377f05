//! `describe-record`.

fn main() -> Result<(), lambda_runtime::Error> {
    audit_functions::programs::describe_record()
}
