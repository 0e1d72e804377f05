//! The load for mail and inactive users against a minimal stack: a mail server, a user pool, a
//! table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::smtp::MailServer;
use crate::support::{Asked as Request, Server};
use faults::Share;
use load::{Arrivals, Ended, Glance, JourneyTime, Timeline};
use run_folder::addresses::Pool;
use run_folder::{Addresses, Compressed, Seen};
use scenarios::Event;
use scenarios::exchange::{Asked, ByHand, Expected, Mail, SignInBy};
use scenarios::systems::Setup;
use scenarios::systems::inactive_users::{UsersLoad, member, sub};
use scenarios::systems::mail::MailLoad;
use scenarios::traffic::{self, Load, Order};
use scenarios::units::{Rate, Size};
use serde_json::{Value, json};

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// A pool that has one member already and refuses the first row.
fn services(request: &Request, calls: &Calls) -> (u16, String) {
    let said: Value = serde_json::from_slice(&request.body).unwrap();
    let operation = request.target.split_once('.').unwrap().1.to_owned();
    let mut calls = calls.lock().unwrap();
    let is_first = !calls.iter().any(|(known, _)| *known == operation);
    let answer = match operation.as_str() {
        "AdminCreateUser" if said["Username"] == "member-00003" => (400, json!({"__type": "UsernameExistsException"})),
        "PutItem" if is_first => (500, json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"})),
        "InitiateAuth" => {
            let user = said["AuthParameters"]["USERNAME"].as_str().unwrap_or_default();
            let refresh = format!("refresh of {user}");
            (200, json!({"AuthenticationResult": {"AccessToken": "a", "IdToken": "i", "RefreshToken": refresh}}))
        }
        _ => (200, json!({})),
    };
    calls.push((operation, said));
    (answer.0, answer.1.to_string())
}

struct Ran {
    events: Vec<Event>,
    glance: Glance,
    ended: Ended,
    mails: Vec<Vec<u8>>,
    calls: Vec<(String, Value)>,
}

fn timeline() -> Timeline {
    let half = Duration::from_millis(500);
    Timeline { warm_up: half, baseline: half * 2, arming: half, fault: half * 6, recovery: half }
}

async fn run(seed: u64) -> Ran {
    let calls: Calls = Arc::default();
    let told = Arc::clone(&calls);
    let cloud = Server::start(move |request| {
        let answer = services(&request, &told);
        async move { answer }
    })
    .await;
    let mail_server = MailServer::start().await;
    let pool = Pool {
        name: "members".into(),
        id: "us-east-1_members".into(),
        client_id: "client".into(),
        other_client_id: String::new(),
        issuer: String::new(),
    };
    let addresses = Addresses {
        services: cloud.address.to_string(),
        sign_in: cloud.address.to_string(),
        smtp: mail_server.address.to_string(),
        pools: vec![pool],
        ..Addresses::default()
    };
    let share = Share::try_from(0.1).unwrap();
    let mail = MailLoad { rate: Rate(20.0), burst: 10, largest: Size(20_000), malformed: share, without_list: share };
    let users = UsersLoad { rate: Rate(40.0), members: 40, cohorts: vec![1, 5], racers: 4 };
    assert_eq!(users.everyone(), 40 + 6 + 2 + 4 + 3);
    let load = Load { systems: vec![Arc::new(mail), Arc::new(users)], ..Load::default() };
    // A row lives for 30 s.
    let setup = Setup { compressed: Compressed { queues: 1, expiry: 86_400 }, ..Setup::default() };
    let order = Order {
        load,
        setup,
        arrivals: Arrivals::Constant,
        timeline: timeline(),
        seed,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    };
    let mut traffic = traffic::start(order).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = traffic.next().await {
        // The pool of this test disables the first member of the second cohort as soon as the
        // member has a row.
        if matches!(&event, Event::RowSeeded { user, .. } if *user == member(41)) {
            let seen = Seen::UserDisabled { pool: "us-east-1_members".into(), user: member(41) };
            traffic.tell(&Event::Saw { at: event.at(), seen });
        }
        events.push(event);
    }
    let glance = traffic.glance();
    let ended = traffic.finished().await.unwrap();
    let (mails, calls) = (mail_server.mails.lock().unwrap().clone(), calls.lock().unwrap().clone());
    Ran { events, glance, ended, mails, calls }
}

fn mails(ran: &Ran) -> Vec<&Mail> {
    ran.events.iter().filter_map(|event| if let Event::Mail(mail) = event { Some(&**mail) } else { None }).collect()
}

/// Every sign-in: user, method, the root of its trace, and when it was due.
fn sign_ins(ran: &Ran) -> Vec<(&str, SignInBy, &str, Duration)> {
    ran.events.iter().filter_map(sign_in).collect()
}

fn sign_in(event: &Event) -> Option<(&str, SignInBy, &str, Duration)> {
    let Event::Exchange(exchange) = event else { return None };
    let Asked::SignIn { user, by } = &exchange.asked else { return None };
    Some((user, *by, &exchange.root, exchange.due))
}

fn mails_are_as_they_were_meant(ran: &Ran) {
    let mails = mails(ran);
    assert_eq!(mails.len(), ran.mails.len());
    let mut ends = HashMap::new();
    for mail in &mails {
        let place: usize = mail.id.as_deref().unwrap().strip_prefix("id-").unwrap().parse().unwrap();
        let taken = String::from_utf8_lossy(&ran.mails[place]);
        assert!(taken.contains(&format!("Subject: [{}] ", mail.token)) || taken.contains("=?"), "{taken:.400}");
        assert!(mail.size <= 20_000 && mail.due <= mail.sent && mail.sent <= mail.done, "{mail:?}");
        let stuffed = taken.matches("\r\n..").count() as u64;
        assert_eq!(ran.mails[place].len() as u64, mail.size + stuffed, "{mail:?}");
        *ends.entry(std::mem::discriminant(&mail.expected)).or_insert(0) += 1;
    }
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert!(mails.iter().any(|mail| matches!(&mail.expected, Expected::Delivered { readers } if readers.len() > 1)));
    let middle = timeline().fault_from() + timeline().fault / 2;
    assert_eq!(mails.iter().filter(|mail| mail.due == middle).count(), 10);
}

fn what_is_done_by_hand_is_told(ran: &Ran) {
    let rows: BTreeMap<&str, Duration> = ran
        .events
        .iter()
        .filter_map(|event| if let Event::RowSeeded { user, expires, .. } = event { Some((user.as_str(), *expires)) } else { None })
        .collect();
    assert_eq!(rows.len(), 6 + 2 + 4 + 2 + 3);
    let put = ran.calls.iter().filter(|(operation, _)| operation == "PutItem").collect::<Vec<_>>();
    assert_eq!(put.len(), rows.len() + 1, "one was refused and came again");
    for (_, body) in put {
        let (item, user) = (&body["Item"], body["Item"]["username"]["S"].as_str().unwrap());
        assert_eq!(item["sub"]["S"], sub(user));
        assert!(item["timestamp"]["S"].as_str().unwrap().ends_with('Z') && item["ttl"]["N"].is_string(), "{item}");
        assert!(rows.contains_key(user), "{user}");
    }
    let mut acts = BTreeMap::new();
    for event in &ran.events {
        if let Event::ByHand { user, act, .. } = event {
            acts.entry(format!("{act:?}")).or_insert_with(BTreeSet::new).insert(user.clone());
        }
    }
    let of = |numbers: std::ops::Range<u32>| numbers.map(member).collect::<BTreeSet<_>>();
    assert_eq!(acts[&format!("{:?}", ByHand::MemberDeleted)], of(46..48));
    assert_eq!(acts[&format!("{:?}", ByHand::RowDeleted)], of(52..55));
    assert_eq!(acts[&format!("{:?}", ByHand::Enabled)], of(41..42));
    for racer in of(48..52) {
        let racing: Vec<_> = sign_ins(ran).into_iter().filter(|(user, ..)| *user == racer).collect();
        assert_eq!(racing.len(), 1, "{racer}");
        let late = racing[0].3.saturating_sub(rows[racer.as_str()]);
        assert!((190..=1_510).contains(&late.as_millis()), "{racer} {late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_sends_the_same_mails_and_sign_ins_and_reports_them() {
    let (first, second) = (run(7).await, run(7).await);
    mails_are_as_they_were_meant(&first);
    what_is_done_by_hand_is_told(&first);
    let made = |ran: &Ran| mails(ran).iter().map(|mail| (mail.token.clone(), mail.size, mail.attachments.len())).collect::<BTreeSet<_>>();
    assert_eq!(made(&first), made(&second));
    // The first part of a root is the time, which differs between runs.
    let asked = |ran: &Ran| {
        let all = sign_ins(ran).into_iter();
        all.map(|(user, by, root, _)| (user.to_owned(), by == SignInBy::Refresh, root[11..].to_owned())).collect::<BTreeSet<_>>()
    };
    assert_eq!(asked(&first), asked(&second));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (user, _, root, _) in sign_ins(&second) {
        let stamp = u64::from_str_radix(&root[2..10], 16).unwrap();
        assert!((now - 60..=now).contains(&stamp), "a trigger reads the time of the sign-in of {user} in {root}");
    }

    let all = sign_ins(&first);
    // 220 at 40 a second in 5.5 s, two bursts of a second's worth, four racers.
    assert_eq!(all.len(), 220 + 80 + 4);
    let refreshing: BTreeSet<&str> = all.iter().filter(|(_, by, ..)| *by == SignInBy::Refresh).map(|(user, ..)| *user).collect();
    assert_eq!(refreshing, BTreeSet::from(["member-00019", "member-00039"]));
    assert!(all.iter().all(|(user, by, ..)| refreshing.contains(user) == (*by == SignInBy::Refresh)));
    let refreshes = first.calls.iter().filter(|(operation, body)| operation == "InitiateAuth" && body["AuthFlow"] == "REFRESH_TOKEN_AUTH");
    let tokens: BTreeSet<String> =
        refreshes.map(|(_, body)| body["AuthParameters"]["REFRESH_TOKEN"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tokens, BTreeSet::from(["refresh of member-00019".to_owned(), "refresh of member-00039".to_owned()]));
    let made = |what: &str| first.calls.iter().filter(|(operation, _)| operation == what).count();
    assert_eq!((made("AdminCreateUser"), made("AdminSetUserPassword")), (55, 54), "who is there already stays as they are");
    assert_eq!(first.glance.sent as usize, all.len() + first.mails.len());
    assert_eq!((first.glance.failed, first.glance.answered), (0, first.glance.sent));
    assert_eq!(first.ended.planned, first.ended.sent);
}
