//! `thermostat-api`.

fn main() -> Result<(), lambda_runtime::Error> {
    thermostat_functions::programs::thermostat_api()
}
