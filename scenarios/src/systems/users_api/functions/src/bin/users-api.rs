//! `users-api`.

fn main() -> Result<(), lambda_runtime::Error> {
    users_api_functions::programs::users_api()
}
