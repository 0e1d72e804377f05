//! The text that `up` prints once the stack is up: the addresses, and something to try on each
//! system.

use std::time::Duration;

use run_folder::Addresses;
use scenarios::systems::System;
use template::apis::Api;
use template::summary;

/// The text, with bold letters if `bold`.
pub fn greeting(a: &Addresses, apis: &[Api], took: Duration, bold: bool) -> String {
    let title = if bold { "\u{1b}[1mThe stack is up\u{1b}[0m" } else { "The stack is up" };
    let mut text = format!("{title} after {:.1} s: {}\n\n", took.as_secs_f64(), a.functions.join(", "));
    let mut place = |name: &str, at: &str| text.push_str(&format!("  {name:<15} {at}\n"));
    place("page", &format!("http://{}/brownout", a.services));
    place("gateway", &format!("http://{}", a.gateway));
    place("cloud services", &format!("http://{}   (AWS_ENDPOINT_URL)", a.services));
    place("Lambda", &format!("http://{}", a.lambda));
    place("MQTT", &a.mqtt);
    if !a.smtp.is_empty() {
        place("SMTP", &a.smtp);
    }
    if !a.redis.is_empty() {
        let whose = if a.redis_is_foreign { "   (an external server: neither observed nor faulted)" } else { "" };
        place("cache", &format!("{}{whose}", a.redis));
    }
    text.push('\n');
    let examples: String = System::ALL.into_iter().filter_map(|system| system.example(a)).collect();
    text.push_str(if examples.is_empty() { routes(a, apis) } else { examples }.as_str());
    text.push_str("Ctrl-C takes it down.\n");
    text
}

/// Every route with its address.
fn routes(a: &Addresses, apis: &[Api]) -> String {
    let mut text = String::new();
    for api in apis {
        let Some(at) = a.api(&api.name) else { continue };
        let base = format!("http://{}{}", at.address, at.stage);
        text.push_str(&format!("{} ({})\n", api.name, api.kind.name()));
        api.routes.iter().for_each(|route| text.push_str(&format!("  {}\n", summary::route(route, &base))));
    }
    text
}

#[cfg(test)]
mod tests {
    use run_folder::addresses::{Api, Pool};
    use scenarios::systems::{audit, clinic, thermostat, users_api};

    use super::*;

    fn addresses(pools: &[&str], smtp: &str, apis: &[(&str, &str)], key: &str) -> Addresses {
        let text = |text: &str| text.to_owned();
        let pool = |name: &&str| Pool {
            name: text(name),
            id: text("p"),
            client_id: format!("client-of-{name}"),
            other_client_id: text("o"),
            issuer: text("i"),
        };
        let api = |(name, stage): &(&str, &str)| {
            (text(name), Api { address: text("g:1"), host: text("g:1"), stage: text(stage), key: text(key) })
        };
        Addresses {
            pid: 1,
            gateway: text("g:1"),
            apis: apis.iter().map(api).collect(),
            services: text("s:2"),
            sign_in: text("s:2"),
            lambda: text("l:3"),
            mqtt: text("m:4"),
            smtp: text(smtp),
            redis: text(if key.is_empty() { "" } else { "redis://r:6" }),
            pools: pools.iter().map(pool).collect(),
            functions: vec![text("f")],
            ..Addresses::default()
        }
    }

    #[test]
    fn every_system_that_is_up_has_something_to_try_and_no_other() {
        let stages = users_api::SHAPES.map(|shape| format!("/{}", shape.name()));
        let users: Vec<_> = users_api::SHAPES.into_iter().map(users_api::Shape::api).zip(stages.iter().map(String::as_str)).collect();
        let tries = [
            (&["thermostat"][..], "", &[(thermostat::API, "/prod")][..], "", "g:1/prod/items"),
            (&["clinic-external"][..], "", &[(clinic::API, "/dev")], "", "g:1/dev/appointment"),
            (&["members"][..], "", &[], "", "client-of-members"),
            (&[][..], "t:5", &[], "", "smtp://t:5"),
            (&[][..], "", &users, "", "g:1/users-read-write/users/u-1"),
            (&[][..], "", &[(audit::API, "/prod")], "the-key", "g:1/prod/records -H 'x-api-key: the-key'"),
        ];
        for (pools, smtp, apis, key, shown) in tries {
            let text = greeting(&addresses(pools, smtp, apis, key), &[], Duration::from_millis(1234), false);
            assert!(text.contains("after 1.2 s: f") && text.contains("http://s:2/brownout"), "{text}");
            for (_, _, _, _, other) in tries {
                assert_eq!(text.contains(other), other == shown, "{other} in {text}");
            }
        }
    }
}
