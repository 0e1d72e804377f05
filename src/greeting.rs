//! What a person reads once the stack is up: where everything is, and something to try on each system. It only words.

use std::time::Duration;

use run_folder::Addresses;
use run_folder::addresses::PASSWORD;
use run_folder::addresses::Pool;
use scenarios::systems::System;
use scenarios::systems::users_api::SHAPES;
use scenarios::systems::{audit, inactive_users, mail};

/// The text, in bold letters where they are wanted.
pub fn greeting(a: &Addresses, took: Duration, bold: bool) -> String {
    let title = if bold { "\u{1b}[1mThe stack is up\u{1b}[0m" } else { "The stack is up" };
    let mut text = format!("{title} after {:.1} s: {}\n\n", took.as_secs_f64(), a.functions.join(", "));
    let mut place = |name: &str, at: &str| text.push_str(&format!("  {name:<15} {at}\n"));
    place("gateway", &format!("http://{}", a.gateway));
    place("cloud services", &format!("http://{}   (AWS_ENDPOINT_URL)", a.services));
    place("what is in them", &format!("http://{}/brownout", a.services));
    place("Lambda", &format!("http://{}", a.lambda));
    place("MQTT", &a.mqtt);
    if !a.smtp.is_empty() {
        place("SMTP", &a.smtp);
    }
    if !a.redis.is_empty() {
        let whose = if a.redis_is_foreign { "   (somebody else's: neither seen nor struck)" } else { "" };
        place("cache", &format!("{}{whose}", a.redis));
    }
    text.push('\n');
    let tries = [
        a.pool("thermostat").map(|pool| asked(a, pool, "john_doe", "AccessToken", "prod/items -H \"Authorization: Bearer $TOKEN\"")),
        a.pool("clinic-external").map(|pool| {
            let request = "dev/appointment/PI-T123 -H \"Authorization: Bearer $TOKEN\" -H 'ClientType: external'";
            asked(a, pool, "Dave", "IdToken", request)
        }),
        (!a.smtp.is_empty()).then(|| sent(a)),
        a.pool(inactive_users::POOL).map(|pool| format!("  {}\n\n", sign_in(a, pool, &inactive_users::member(0)))),
        System::UsersApi.functions().iter().all(|(name, _)| a.functions.iter().any(|up| up == name)).then(|| users(a)),
        a.api_keys.get(audit::API).map(|key| recorded(a, key)),
    ];
    tries.into_iter().flatten().for_each(|one| text.push_str(&one));
    text.push_str("Ctrl-C takes it down.\n");
    text
}

/// A request through the gateway with the token of a user.
fn asked(a: &Addresses, pool: &Pool, user: &str, token: &str, request: &str) -> String {
    let sign_in = sign_in(a, pool, user);
    format!("  TOKEN=$({sign_in} | sed 's/.*\"{token}\":\"\\([^\"]*\\)\".*/\\1/')\n  curl -i http://{}/{request}\n\n", a.gateway)
}

fn sign_in(a: &Addresses, pool: &Pool, user: &str) -> String {
    format!(
        "curl -s http://{} -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' -H 'Content-Type: application/x-amz-json-1.1' \\\n    \
         -d '{{\"AuthFlow\":\"USER_PASSWORD_AUTH\",\"ClientId\":\"{}\",\"AuthParameters\":{{\"USERNAME\":\"{user}\",\"PASSWORD\":\"{PASSWORD}\"}}}}'",
        a.services, pool.client_id
    )
}

/// A mail to one reader.
fn sent(a: &Addresses) -> String {
    let marker = mail::MARKER;
    format!(
        "  printf 'Subject: a reading\\r\\n\\r\\nIt is 21 degrees.\\r\\n{marker}reader@example.org{marker}\\r\\n' | \\\n    \
         curl -s smtp://{} --mail-from sensor@example.org --mail-rcpt in@example.org -T -\n\n",
        a.smtp
    )
}

/// A user in each shape of the users API; none of them sees another's.
fn users(a: &Addresses) -> String {
    let create = |shape: &str| {
        let body = r#"{"id":"u-1","name":"Jane","email":"jane@example.com"}"#;
        format!("  curl -i http://{0}/{shape}/users -d '{body}'\n  curl -i http://{0}/{shape}/users/u-1\n", a.gateway)
    };
    SHAPES.map(|shape| create(shape.name())).concat() + "\n"
}

/// An audit record.
fn recorded(a: &Addresses, key: &str) -> String {
    format!(
        "  curl -i http://{}/prod{} -H 'x-api-key: {key}' -d '{{\"sourceTransactionID\":\"one\",\"sourceSystem\":\"till\",\\\n    \
         \"occurredAt\":\"2026-01-31T12:00:00Z\",\"contentType\":\"text/plain\",\"content\":\"aGVsbG8=\"}}'\n\n",
        a.gateway,
        audit::PATH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(pools: &[&str], smtp: &str, functions: &[&str], key: &str) -> Addresses {
        let text = |text: &str| text.to_owned();
        let pool = |name: &&str| Pool {
            name: text(name),
            id: text("p"),
            client_id: format!("client-of-{name}"),
            other_client_id: text("o"),
            issuer: text("i"),
        };
        Addresses {
            pid: 1,
            gateway: text("g:1"),
            services: text("s:2"),
            lambda: text("l:3"),
            mqtt: text("m:4"),
            smtp: text(smtp),
            redis: text(if key.is_empty() { "" } else { "redis://r:6" }),
            redis_is_foreign: false,
            api_keys: (!key.is_empty()).then(|| (text(audit::API), text(key))).into_iter().collect(),
            pools: pools.iter().map(pool).collect(),
            functions: std::iter::once(&"f").chain(functions).map(|name| text(name)).collect(),
        }
    }

    #[test]
    fn every_system_that_is_up_has_something_to_try_and_no_other() {
        let users: Vec<_> = System::UsersApi.functions().iter().map(|(name, _)| *name).collect();
        let tries = [
            (&["thermostat"][..], "", &[][..], "", "g:1/prod/items"),
            (&["clinic-external"][..], "", &[], "", "g:1/dev/appointment"),
            (&["members"][..], "", &[], "", "client-of-members"),
            (&[][..], "t:5", &[], "", "smtp://t:5"),
            (&[][..], "", &users, "", "g:1/users-read-write/users/u-1"),
            (&[][..], "", &[], "the-key", "g:1/prod/records -H 'x-api-key: the-key'"),
        ];
        for (pools, smtp, functions, key, shown) in tries {
            let text = greeting(&addresses(pools, smtp, functions, key), Duration::from_millis(1234), false);
            assert!(text.contains("after 1.2 s: f") && text.contains("http://s:2/brownout"), "{text}");
            for (_, _, _, _, other) in tries {
                assert_eq!(text.contains(other), other == shown, "{other} in {text}");
            }
        }
    }
}
