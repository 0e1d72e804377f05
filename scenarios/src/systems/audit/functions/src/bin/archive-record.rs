//! `archive-record`.

fn main() -> Result<(), lambda_runtime::Error> {
    audit_functions::programs::archive_record()
}
