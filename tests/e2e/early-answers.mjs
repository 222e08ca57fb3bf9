// Sends a body of SIZE bytes with fetch or http.request and prints the status of the answer.
import https from "node:https";

const [client, url, size, key] = process.argv.slice(2);
const headers = { "X-API-Key": key, "Content-Type": "multipart/form-data; boundary=b" };
const body = Buffer.alloc(Number(size));

if (client === "fetch") {
  const answer = await fetch(url, { method: "POST", headers, body });
  await answer.json();
  console.log(answer.status);
} else {
  const request = https.request(url, { method: "POST", headers }, async (answer) => {
    const parts = await answer.toArray();
    JSON.parse(Buffer.concat(parts));
    console.log(answer.statusCode);
  });
  request.end(body);
}
