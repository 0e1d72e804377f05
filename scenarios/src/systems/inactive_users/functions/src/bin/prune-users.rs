//! `prune-users`.

fn main() -> Result<(), lambda_runtime::Error> {
    inactive_users_functions::programs::prune_users()
}
