package example;

import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import java.util.ArrayList;
import java.util.List;

/** Events by the classes of aws-lambda-java-events. */
public class Events {
    /** Fails what says so, alone. */
    public SQSBatchResponse queue(SQSEvent event) {
        List<SQSBatchResponse.BatchItemFailure> failures = new ArrayList<>();
        for (SQSEvent.SQSMessage message : event.getRecords()) {
            System.out.println("message " + message.getBody() + " " + message.getEventSourceArn()
                    + " " + message.getAttributes().get("ApproximateReceiveCount")
                    + " " + message.getMessageAttributes().get("colour").getStringValue());
            if (message.getBody().equals("bad")) {
                failures.add(new SQSBatchResponse.BatchItemFailure(message.getMessageId()));
            }
        }
        return new SQSBatchResponse(failures);
    }

    public String bucket(S3Event event) {
        return event.getRecords().get(0).getS3().getObject().getUrlDecodedKey()
                + " " + event.getRecords().get(0).getS3().getObject().getSizeAsLong()
                + " " + event.getRecords().get(0).getEventTime().getYear();
    }
}
