//! `ingest-record`.

fn main() -> Result<(), lambda_runtime::Error> {
    audit_functions::programs::ingest_record()
}
