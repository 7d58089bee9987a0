package lampejo;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The names that events have in JSON where AWS's classes of events (aws-lambda-java-events) call
 * their properties otherwise: each class with such names, which differ from the property's in case
 * and dashes only. `*` is every property, with a capital.
 */
final class EventNames {
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";
    private static final String[] NAMES = {
        "CloudFormationCustomResourceEvent * ResponseURL",
        "CloudFrontEvent Records",
        "CloudWatchLogsEvent awslogs",
        "CodeCommitEvent Records",
        "CodeCommitEvent$Record codecommit eventSourceARN userIdentityARN",
        "ConnectEvent *",
        "ConnectEvent$ContactData * InstanceARN",
        "ConnectEvent$CustomerEndpoint *",
        "ConnectEvent$Details *",
        "ConnectEvent$Queue *",
        "ConnectEvent$SystemEndpoint *",
        "DynamodbEvent Records",
        "DynamodbEvent$DynamodbStreamRecord eventSourceARN",
        "DynamodbTimeWindowEvent eventSourceARN",
        "KinesisEvent Records",
        "KinesisEvent$KinesisEventRecord eventSourceARN",
        "KinesisTimeWindowEvent eventSourceARN",
        "S3Event Records",
        "SNSEvent *",
        "SNSEvent$MessageAttribute *",
        "SNSEvent$SNS *",
        "SNSEvent$SNSRecord * Sns",
        "SQSEvent Records",
        "SQSEvent$SQSMessage eventSourceARN",
        "ScheduledEvent detail-type",
        "SecretsManagerRotationEvent *",
        "models.dynamodb.AttributeValue *",
        "models.dynamodb.StreamRecord *",
        "models.s3.S3EventNotification Records",
        "models.s3.S3EventNotification$ResponseElementsEntity x-amz-id-2 x-amz-request-id",
    };

    private EventNames() {}

    /** Whether it is a class of events. */
    static boolean isEvent(Class<?> type) {
        return type.getName().startsWith(EVENTS);
    }

    /** The names of a class, by how they read in lower case and without dashes. */
    static Map<String, String> of(Class<?> type) {
        Map<String, String> names = new HashMap<String, String>();
        for (Class<?> each = type; each != null && isEvent(each); each = each.getSuperclass()) {
            String own = each.getName().substring(EVENTS.length()) + " ";
            for (String row : NAMES) {
                if (row.startsWith(own)) {
                    add(row.substring(own.length()), names);
                }
            }
        }
        return names;
    }

    private static void add(String list, Map<String, String> names) {
        int start = 0;
        while (start < list.length()) {
            int space = list.indexOf(' ', start);
            int end = space < 0 ? list.length() : space;
            String name = list.substring(start, end);
            names.put(plain(name), name);
            start = end + 1;
        }
    }

    /** What JSON calls a property. */
    static String name(String property, Map<String, String> names) {
        String name = names.get(plain(property));
        if (name != null || !names.containsKey("*")) {
            return name == null ? property : name;
        }
        return Character.toUpperCase(property.charAt(0)) + property.substring(1);
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replace("-", "");
    }
}
