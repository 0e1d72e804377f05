//! A mistake in a deployed template is reported with its resource; the queue, alarm or mapping is
//! never just left out.

use scenarios::systems::System;
use template::{Template, TemplateError};

use super::read;

/// Reads the template that has this resource, with the first `from` after it replaced.
fn changed(resource: &str, from: &str, to: &str) -> Result<Template, TemplateError> {
    let start = format!("\n  {resource}:\n");
    let owns = |system: &System| system.template().contains(&start);
    let system = System::ALL.into_iter().find(owns).unwrap_or_else(|| panic!("{resource}"));
    let (before, after) = system.template().split_at(system.template().find(&start).unwrap());
    let end = after.match_indices("\n\n").map(|(at, _)| at).next().unwrap_or(after.len());
    assert!(after[..end].contains(from), "{resource}: {from}");
    read(system, &format!("{before}{}", after.replacen(from, to, 1)), &[])
}

/// Fails if the template with this mistake is accepted in silence, or is reported in other words.
fn is_complained_about(resource: &str, from: &str, to: &str, complaint: &str) {
    let told = match changed(resource, from, to) {
        Ok(template) => template.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Err(error) => format!("{error}; {}", error.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    };
    assert!(told.contains(complaint), "{resource}: {from} -> {to}: {told}");
}

#[test]
fn every_mistake_is_reported_with_its_resource() {
    for (resource, from, to, complaint) in [
        ("IncomingQueue", "VisibilityTimeout: 30", "VisibilityTimeout: soon", "IncomingQueue.VisibilityTimeout"),
        ("IncomingQueue", "VisibilityTimeout: 30", "VisibilityTimeout: 10", "EmailProcessorFunction: found a visibility"),
        (
            "IncomingDeadLetters",
            "MessageRetentionPeriod: 1209600",
            "MessageRetentionPeriod: 30",
            "IncomingDeadLetters.MessageRetentionPeriod",
        ),
        ("IncomingQueue", "[IncomingDeadLetters, Arn]", "[IncomingBucket, Arn]", "IncomingQueue.RedrivePolicy.deadLetterTargetArn"),
        ("IncomingQueue", "maxReceiveCount", "maxReceives", "IncomingQueue.RedrivePolicy.maxReceives"),
        ("IncomingDeadLetters", "QueueName: incoming-dead-letters", "QueueName: incoming", "found `incoming`, which another resource has"),
        ("IncomingBucket", "[IncomingQueue, Arn]", "[FallbackTopic, TopicArn]", "QueueConfigurations[0].Queue"),
        ("IncomingBucket", "QueueConfigurations", "TopicConfigurations", "IncomingBucket.NotificationConfiguration.TopicConfigurations"),
        ("AttachmentsBucket", "LifecycleConfiguration", "VersioningConfiguration", "AttachmentsBucket.VersioningConfiguration"),
        ("OldestMailAlarm", "AWS/SQS", "AWS/Lambda", "OldestMailAlarm: this alarm never fires"),
        ("OldestMailAlarm", "ApproximateAgeOfOldestMessage", "SentMessageSize", "OldestMailAlarm: this alarm never fires"),
        ("OldestMailAlarm", "Statistic: Maximum", "Statistic: Average", "OldestMailAlarm.Statistic"),
        ("OldestMailAlarm", "EvaluationPeriods: 1", "EvaluationPeriods: 3", "OldestMailAlarm.EvaluationPeriods"),
        ("OldestMailAlarm", "Threshold: 180", "Threshold: much", "OldestMailAlarm.Threshold"),
        ("OldestMailAlarm", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "OldestMailAlarm.ComparisonOperator"),
        ("OldestMailAlarm", "Fn::GetAtt: [IncomingQueue, QueueName]", "Ref: FallbackTopic", "incoming-oldest: found the queue"),
        ("OldestMailAlarm", "Ref: AlarmsTopic", "Fn::GetAtt: [IncomingQueue, Arn]", "OldestMailAlarm.AlarmActions"),
        ("OldestMailAlarm", "Period: 60", "Unit: Count", "OldestMailAlarm.Period: found none"),
        ("MailRule", "S3Action", "LambdaAction", "MailRule.Rule.Actions[0].LambdaAction"),
        ("MailRule", "Ref: IncomingBucket", "Ref: IncomingQueue", "AWS::SES::ReceiptRule: found the bucket"),
        ("MailRule", "Enabled: true", "Recipients: [a@x.org]", "MailRule.Rule.Recipients"),
        ("LatestPostAuthTable", "KeyType: HASH", "KeyType: RANGE", "LatestPostAuthTable.KeySchema"),
        ("LatestPostAuthTable", "StreamSpecification:", "SSESpecification:", "PruneUsersFunction: found the table"),
        ("EmailProcessorFunction", "BatchSize: 1", "BatchSizes: 1", "EmailProcessorFunction.Events.Incoming.Properties.BatchSizes"),
        ("EmailProcessorFunction", "MaximumConcurrency: 2", "MaximumConcurrency: 1", "ScalingConfig.MaximumConcurrency"),
        ("EmailProcessorFunction", "[ReportBatchItemFailures]", "[ReportAll]", "Properties.FunctionResponseTypes"),
        ("EmailProcessorFunction", "[IncomingQueue, Arn]", "[AlarmsTopic, TopicArn]", "Properties.EventSourceArn"),
        ("EmailProcessorFunction", "Type: SQS", "Type: SNS", "EmailProcessorFunction.Events.Incoming"),
        ("PruneUsersFunction", "[LatestPostAuthTable, StreamArn]", "[LatestPostAuthTable, Arn]", "Properties.EventSourceArn"),
        ("PruneUsersFunction", "OnFailure", "OnSuccess", "DestinationConfig.OnSuccess"),
        ("PruneUsersFunction", "{\"userIdentity\"", "{userIdentity", "FilterCriteria.Filters[0].Pattern"),
        ("PruneUsersFunction", "BisectBatchOnFunctionError: true", "BisectBatchOnFunctionError: often", "BisectBatchOnFunctionError"),
        ("MembersPool", "PostAuthentication", "PreSignUp", "MembersPool.LambdaConfig.PreSignUp"),
        ("MembersPool", "[RecordSignInFunction, Arn]", "[MembersPool, Arn]", "MembersPool.LambdaConfig.PostAuthentication"),
        ("BrownoutPlanPolicy", "Condition: WithBrownout", "Condition: Sometimes", "BrownoutPlanPolicy"),
    ] {
        is_complained_about(resource, from, to, complaint);
    }
}

#[test]
fn every_mistake_about_keys_is_reported_and_grants_nothing() {
    for (resource, from, to, complaint) in [
        ("AuditApi", "ApiKeyRequired: true", "ApiKeyRequired: maybe", "AuditApi.Auth.ApiKeyRequired"),
        ("AuditApi", "ApiKeyRequired: true", "ApiKeysRequired: true", "AuditApi.Auth.ApiKeysRequired"),
        ("AuditApiKey", "Enabled: true", "Enabled: soon", "AuditApiKey.Enabled"),
        ("AuditApiKey", "Enabled: true", "Value: short", "AuditApiKey.Value"),
        ("AuditUsagePlan", "Ref: AuditApi", "Ref: AuditTopic", "AuditUsagePlan.ApiStages[0].ApiId"),
        ("AuditUsagePlan", "ApiStages:", "Quota:", "AuditUsagePlan.Quota"),
        ("AuditUsagePlanKey", "Ref: AuditApiKey", "Ref: AuditApi", "AuditUsagePlanKey.KeyId"),
        ("AuditUsagePlanKey", "Ref: AuditUsagePlan", "Ref: AuditApi", "AuditUsagePlanKey.UsagePlanId"),
        ("AuditUsagePlanKey", "KeyType: API_KEY", "KeyType: OTHER", "AuditUsagePlanKey.KeyType"),
    ] {
        is_complained_about(resource, from, to, complaint);
    }
}

#[test]
fn a_resource_that_is_switched_off_is_absent_without_a_complaint() {
    let rule = changed("MailRule", "Enabled: true", "Enabled: false").unwrap();
    assert_eq!(rule.blueprint.receipts, []);
    let mapping = changed("EmailProcessorFunction", "BatchSize: 1", "Enabled: false").unwrap();
    assert!(mapping.blueprint.mappings.iter().all(|mapping| mapping.function == "prune-users"));
}

#[test]
fn a_key_that_is_not_enabled_grants_nothing() {
    for to in ["Enabled: false", "Name: unused"] {
        let template = changed("AuditApiKey", "Enabled: true", to);
        let routes = template.map(|template| template.apis);
        assert!(routes.is_ok_and(|routes| routes.iter().all(|api| api.keys.is_empty())), "{to}");
    }
}

#[test]
fn every_mistake_in_a_machine_is_reported_with_its_state() {
    let resource = "AuditRecordMachine";
    for (from, to, complaint) in [
        ("Definition:", "DefinitionUri:", "AuditRecordMachine.DefinitionS3Location"),
        ("Type: Fail", "Type: Sleep", "AuditRecordMachine.Definition.States.Failed.Type"),
        ("Next: Failed", "Next: Gone", "AuditRecordMachine.Definition.States.DeadLetter: found `Gone`"),
        ("[ArchiveRecordFunction, Arn]", "[AuditArchiveBucket, Arn]", "AuditRecordMachine.Definition.Archive.Resource"),
        ("[ArchiveRecordFunction, Arn]", "[Nobody, Arn]", "Branches[0].States.Archive.Resource: found `Nobody`"),
        ("Fn::GetAtt: [ArchiveRecordFunction, Arn]", "Fn::Sub: arn:aws:lambda:us-east-1:1:function:f", "Definition.Archive: found"),
        ("Ref: AuditNoticesTopic", "Ref: AuditDeadLettersQueue", "AuditRecordMachine.Definition.Completed: found"),
        ("MessageBody:", "Body:", "AuditRecordMachine.Definition.DeadLetter.Parameters.MessageBody: found none"),
        ("notice: completed", "notice: ${Word}", "AuditRecordMachine.Definition: found `${Word}`"),
    ] {
        is_complained_about(resource, from, to, complaint);
    }
}
