// Uses each service once and prints what came back as one JSON object.
// Arguments: endpoint, Lambda runtime, a function's package in base64.
const { S3, waitUntilBucketExists } = require("@aws-sdk/client-s3");
const { SQS } = require("@aws-sdk/client-sqs");
const { Lambda, waitUntilFunctionActiveV2 } = require("@aws-sdk/client-lambda");
const { CloudWatchLogs } = require("@aws-sdk/client-cloudwatch-logs");
const { IAM } = require("@aws-sdk/client-iam");
const { STS } = require("@aws-sdk/client-sts");

const [endpoint, runtime, code] = process.argv.slice(2);
const settings = {
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
};

async function refusal(call) {
  try {
    await call;
  } catch (error) {
    return [error.name, error.$metadata.httpStatusCode];
  }
  return "no error";
}

async function s3() {
  const client = new S3({ ...settings, forcePathStyle: true });
  await client.createBucket({ Bucket: "javascript" });
  await waitUntilBucketExists({ client, maxWaitTime: 10 }, { Bucket: "javascript" });
  await client.putObject({ Bucket: "javascript", Key: "a b", Body: "hallo ä" });
  const object = await client.getObject({ Bucket: "javascript", Key: "a b" });
  const list = await client.listObjectsV2({ Bucket: "javascript" });
  return {
    body: await object.Body.transformToString(),
    missing: await refusal(client.getObject({ Bucket: "javascript", Key: "no" })),
    keys: list.Contents.map((it) => it.Key),
  };
}

async function sqs() {
  const client = new SQS(settings);
  const { QueueUrl } = await client.createQueue({ QueueName: "javascript" });
  await client.sendMessage({ QueueUrl, MessageBody: "hallo" });
  const { Messages } = await client.receiveMessage({ QueueUrl, WaitTimeSeconds: 5 });
  await client.deleteMessage({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle });
  const missing = refusal(client.getQueueUrl({ QueueName: "javascript-no" }));
  return { body: Messages[0].Body, missing: await missing };
}

async function lambda() {
  const client = new Lambda(settings);
  const FunctionName = "javascript";
  await client.createFunction({
    FunctionName,
    Runtime: runtime,
    Handler: "index.handler",
    Role: "arn:aws:iam::000000000000:role/function",
    Code: { ZipFile: Buffer.from(code, "base64") },
  });
  const waiting = { client, maxWaitTime: 20, minDelay: 1, maxDelay: 1 };
  await waitUntilFunctionActiveV2(waiting, { FunctionName });
  const answer = await client.invoke({ FunctionName, Payload: JSON.stringify({ n: 41 }) });
  return {
    answer: JSON.parse(answer.Payload.transformToString()),
    version: answer.ExecutedVersion,
    missing: await refusal(client.invoke({ FunctionName: "javascript-no" })),
  };
}

async function logs() {
  const client = new CloudWatchLogs(settings);
  const place = { logGroupName: "javascript", logStreamName: "s" };
  await client.createLogGroup({ logGroupName: "javascript" });
  await client.createLogStream(place);
  await client.putLogEvents({ ...place, logEvents: [{ timestamp: Date.now(), message: "one" }] });
  const { events } = await client.getLogEvents({ ...place, startFromHead: true });
  return events.map((it) => it.message);
}

async function main() {
  const told = {
    s3: await s3(),
    sqs: await sqs(),
    lambda: await lambda(),
    logs: await logs(),
    iam: await refusal(new IAM(settings).getUser({ UserName: "javascript-no" })),
    sts: (await new STS(settings).getCallerIdentity({})).Account,
  };
  console.log(JSON.stringify(told));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
