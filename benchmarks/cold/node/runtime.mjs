// AWS's Runtime API, as little as answers an invocation.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const [module, name] = process.argv[2].split(".");

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host, port, method, path: `/2018-06-01/runtime/invocation/${path}` },
      (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

const handler = (await import(`./${module}.mjs`))[name];
for (;;) {
  const { headers, body } = await call("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = JSON.stringify(await handler(JSON.parse(body)));
    await call("POST", `${id}/response`, answer);
  } catch (error) {
    console.error(error);
    await call("POST", `${id}/error`, JSON.stringify({ errorMessage: String(error) }));
  }
}
