//! `email-processor`.

fn main() -> Result<(), lambda_runtime::Error> {
    mail_functions::programs::email_processor()
}
