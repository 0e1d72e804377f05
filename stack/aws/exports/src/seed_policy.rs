//! The permissions of `brownout seed` and `unseed`, by ARN.

use serde_json::{Value, json};

use super::arn::Arn;
use super::policies::{allow, policy};
use super::text::json;

/// What a seed touches in a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedScope {
    /// Any ARN of the stack's account and Region.
    pub home: Arn,
    /// The tables.
    pub tables: Vec<String>,
    /// The user pools by id.
    pub pools: Vec<String>,
    /// The policy stores by id.
    pub stores: Vec<String>,
    /// The things.
    pub things: Vec<String>,
}

/// The permissions of `brownout seed` and `unseed`, as JSON. What the seed does not touch is not in it.
pub fn seed_policy(scope: &SeedScope) -> String {
    json(&of_the_seed(scope))
}

/// Every action that the policy may allow.
pub const SEED_ACTIONS: &[&str] = &[
    "cognito-idp:AdminAddUserToGroup",
    "cognito-idp:AdminCreateUser",
    "cognito-idp:AdminDeleteUser",
    "cognito-idp:AdminGetUser",
    "cognito-idp:AdminSetUserPassword",
    "cognito-idp:CreateGroup",
    "cognito-idp:DeleteGroup",
    "cognito-idp:GetGroup",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "iot:AttachPolicy",
    "iot:AttachThingPrincipal",
    "iot:CreateCertificateFromCsr",
    "iot:CreatePolicy",
    "iot:CreateThing",
    "iot:DeleteCertificate",
    "iot:DeletePolicy",
    "iot:DeleteThing",
    "iot:DeleteThingShadow",
    "iot:DescribeCertificate",
    "iot:DescribeThing",
    "iot:DetachPolicy",
    "iot:DetachThingPrincipal",
    "iot:GetThingShadow",
    "iot:ListCertificates",
    "iot:UpdateCertificate",
    "iot:UpdateThingShadow",
    "verifiedpermissions:CreatePolicy",
    "verifiedpermissions:CreatePolicyTemplate",
    "verifiedpermissions:DeletePolicy",
    "verifiedpermissions:DeletePolicyTemplate",
    "verifiedpermissions:GetPolicy",
    "verifiedpermissions:GetPolicyTemplate",
    "verifiedpermissions:ListPolicies",
    "verifiedpermissions:ListPolicyTemplates",
];

fn of_the_seed(scope: &SeedScope) -> Value {
    let arns = |service: &str, kind: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| scope.home.beside(service, format!("{kind}/{name}")).to_string()).collect()
    };
    // The ARN of a policy store has no Region.
    let stores = scope.stores.iter().map(|store| {
        Arn { region: String::new(), ..scope.home.beside("verifiedpermissions", format!("policy-store/{store}")) }.to_string()
    });
    let of = |service: &str| SEED_ACTIONS.iter().copied().filter(|action| action.starts_with(service)).collect::<Vec<_>>();
    let mut statements = vec![
        allow("SeedRows", &of("dynamodb:"), arns("dynamodb", "table", &scope.tables)),
        allow("SeedUsers", &of("cognito-idp:"), arns("cognito-idp", "userpool", &scope.pools)),
        allow("SeedPolicies", &of("verifiedpermissions:"), stores.collect::<Vec<_>>()),
    ];
    if !scope.things.is_empty() {
        let certificates = vec![scope.home.beside("iot", "cert/*").to_string()];
        let policies = vec![scope.home.beside("iot", "policy/brownout-seed-*").to_string()];
        statements.extend([
            allow(
                "SeedThings",
                &[
                    "iot:CreateThing",
                    "iot:DeleteThing",
                    "iot:DeleteThingShadow",
                    "iot:DescribeThing",
                    "iot:GetThingShadow",
                    "iot:UpdateThingShadow",
                ],
                arns("iot", "thing", &scope.things),
            ),
            allow("SeedThingPolicy", &["iot:CreatePolicy", "iot:DeletePolicy"], policies),
            allow(
                "SeedCertificates",
                &["iot:AttachPolicy", "iot:DeleteCertificate", "iot:DescribeCertificate", "iot:DetachPolicy", "iot:UpdateCertificate"],
                certificates,
            ),
            // These have no resource. Source: Service Authorization Reference, AWS IoT.
            allow(
                "SeedCertificatesOfAnyName",
                &["iot:AttachThingPrincipal", "iot:CreateCertificateFromCsr", "iot:DetachThingPrincipal", "iot:ListCertificates"],
                ["*".to_owned()],
            ),
        ]);
    }
    statements.retain(|statement| statement["Resource"] != json!([]));
    policy(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> SeedScope {
        let names = |name: &str| vec![name.to_owned()];
        let home = "arn:aws-cn:lambda:cn-north-1:123456789012:layer:brownout:7".parse().unwrap();
        SeedScope { home, tables: names("t"), pools: names("cn-north-1_p"), stores: names("ps"), things: names("Thermostat1") }
    }

    #[test]
    fn exactly_the_listed_actions_are_allowed_and_only_on_what_is_seeded() {
        let policy = of_the_seed(&scope());
        let statements = policy["Statement"].as_array().unwrap();
        let mut all: Vec<_> = statements.iter().flat_map(|s| s["Action"].as_array().unwrap()).map(|a| a.as_str().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, SEED_ACTIONS);
        let resources: Vec<_> = statements.iter().map(|s| s["Resource"][0].as_str().unwrap()).collect();
        assert_eq!(
            resources,
            [
                "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t",
                "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_p",
                "arn:aws-cn:verifiedpermissions::123456789012:policy-store/ps",
                "arn:aws-cn:iot:cn-north-1:123456789012:thing/Thermostat1",
                "arn:aws-cn:iot:cn-north-1:123456789012:policy/brownout-seed-*",
                "arn:aws-cn:iot:cn-north-1:123456789012:cert/*",
                "*",
            ]
        );
    }

    #[test]
    fn what_is_not_seeded_is_not_allowed() {
        let policy = of_the_seed(&SeedScope { things: Vec::new(), pools: Vec::new(), stores: Vec::new(), ..scope() });
        let sids: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(|s| s["Sid"].clone()).collect();
        assert_eq!(sids, ["SeedRows"]);
    }
}
