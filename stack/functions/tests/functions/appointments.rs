//! `appointments` through its SDK client.

use crate::cloud::{Cloud, Reply, SHORT, broken, sound};
use clinic_functions::appointments::{Appointments, Settings};
use serde_json::{Value, json};

async fn ask(cloud: &Cloud, id: &str) -> Value {
    let function = Appointments::new(Settings { table: "AppointmentsTable".to_owned() }, &cloud.config(SHORT).await);
    let path = format!("appointment/{id}");
    function.answer(json!({"httpMethod": "GET", "path": format!("/{path}"), "pathParameters": {"api": path}})).await
}

#[tokio::test]
async fn known_is_200_and_unknown_404() {
    let cloud = Cloud::start(sound(json!({}))).await;
    let known = ask(&cloud, "PI-T123").await;
    assert_eq!(known["statusCode"], 200);
    let body: Value = serde_json::from_str(known["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["appointment"]["id"], &body["appointment"]["Pet"]), (&json!("PI-T123"), &json!("Rex")));
    assert_eq!(body["appointment"]["Assigned Veterinarian"], "Jane");
    assert_eq!(ask(&cloud, "PI-T999").await["statusCode"], 404);
}

#[tokio::test]
async fn a_failing_table_is_503() {
    for reply in [Reply::Json(500, json!({})), Reply::Hang] {
        let cloud = Cloud::start(broken(json!({}), "GetItem", reply.clone())).await;
        assert_eq!(ask(&cloud, "PI-T123").await["statusCode"], 503, "{reply:?}");
    }
}
