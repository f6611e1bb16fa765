// The conformance suite's scenarios that need no fixtures, against our HTTP endpoint:
//
//     conformance.mjs URL TOKEN CONFORMANCE
//
// The suite cannot show a token; a proxy on the loopback adds it and passes everything else on as it is.
import http from 'node:http';
import { spawn } from 'node:child_process';

const [url, token, conformance] = process.argv.slice(2);
const target = new URL(url);

// The others want tools, prompts and resources of certain names (fixtures), or are about sampling, logging and tasks,
// which this server does not have. `server-stateless` passes but for its check of a tool `test_missing_capability`.
const SCENARIOS = [
  'server-initialize', 'ping', 'tools-list', 'resources-list', 'prompts-list', 'caching',
  'sep-2164-resource-not-found', 'dns-rebinding-protection', 'http-header-validation', 'server-session-lifecycle',
];

const proxy = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}` };
  // The name of the proxy is that of the endpoint; any other is passed on, to be refused.
  if (headers.host === `localhost:${proxy.address().port}` || headers.host === `127.0.0.1:${proxy.address().port}`) {
    headers.host = target.host;
  }
  const onward = http.request(
    { host: target.hostname, port: target.port, path: request.url, method: request.method, headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
});

function run(scenario, address) {
  return new Promise((resolve) => {
    const args = [conformance, 'server', '--url', address, '--scenario', scenario];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (part) => { text += part; });
    child.stderr.on('data', (part) => { text += part; });
    child.on('close', (code) => resolve({ passed: code === 0, text }));
  });
}

proxy.listen(0, '127.0.0.1', async () => {
  const address = `http://localhost:${proxy.address().port}${target.pathname}`;
  let passed = 0;
  const failed = [];
  for (const scenario of SCENARIOS) {
    const outcome = await run(scenario, address);
    console.log(`  ${outcome.passed ? 'ok  ' : 'FAIL'}  ${scenario}`);
    if (outcome.passed) {
      passed += 1;
    } else {
      failed.push(scenario);
      console.log(outcome.text.split('\n').slice(-40).map((line) => `        ${line}`).join('\n'));
    }
  }
  console.log(`conformance: ${passed} scenarios passed, ${failed.length} failed`);
  proxy.close();
  process.exit(failed.length === 0 ? 0 : 1);
});
