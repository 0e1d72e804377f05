//! Where something can happen that a rule may name: the resources that are served, by logical id.

use std::collections::BTreeMap;

use run_folder::Place;
use serde_json::{Map, Value};

use crate::blueprint::Blueprint;
use crate::read::physical::{Arns, Kind};
use crate::sam::tree::kind;

/// The places of a template.
pub(crate) fn of(resources: &Map<String, Value>, arns: &Arns, served: &Blueprint) -> BTreeMap<String, Place> {
    let place = |(id, declared): (&String, &Value)| {
        let place = place(Kind::of(kind(declared))?.0, arns.name(id))?;
        is_served(&place, served).then(|| (id.clone(), place))
    };
    resources.iter().filter_map(place).collect()
}

fn place(kind: Kind, name: String) -> Option<Place> {
    Some(match kind {
        Kind::Table => Place::Table(name),
        Kind::Bucket => Place::Bucket(name),
        Kind::Queue => Place::Queue(name),
        Kind::Topic => Place::Topic(name),
        Kind::Function => Place::Function(name),
        Kind::Machine => Place::Machine(name),
        _ => return None,
    })
}

fn is_served(place: &Place, served: &Blueprint) -> bool {
    match place {
        Place::Table(name) => served.tables.iter().any(|it| it.name == *name),
        Place::Bucket(name) => served.buckets.iter().any(|it| it.name == *name),
        Place::Queue(name) => served.queues.iter().any(|it| it.name == *name),
        Place::Topic(name) => served.topics.iter().any(|it| it.name == *name),
        Place::Function(name) => served.functions.iter().any(|it| it.name == *name),
        Place::Machine(name) => served.machines.iter().any(|it| it.name == *name),
        Place::Mail => !served.senders.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    #[test]
    fn a_rule_names_what_is_served_by_its_logical_id() {
        let text = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: all-orders}}
  Work: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
  News: {Type: AWS::SNS::Topic}
  Files: {Type: AWS::S3::Bucket}
  Packed:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, ImageUri: x}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
";
        let places = Template::read(text, &BTreeMap::new()).unwrap().places;
        let expected = [
            ("Files", Place::Bucket("files".into())),
            ("News", Place::Topic("News".into())),
            ("Orders", Place::Table("all-orders".into())),
            ("Packed", Place::Function("Packed".into())),
            ("Work", Place::Queue("Work.fifo".into())),
        ];
        assert_eq!(places.into_iter().collect::<Vec<_>>(), expected.map(|(id, place)| (id.to_owned(), place)));
    }
}
