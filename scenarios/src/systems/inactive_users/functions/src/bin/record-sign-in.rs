//! `record-sign-in`.

fn main() -> Result<(), lambda_runtime::Error> {
    inactive_users_functions::programs::record_sign_in()
}
