// Lets a client by others do what lines of JSON on stdin say; one line of JSON on stdout answers each.
'use strict';

const readline = require('node:readline');

/** `connect` gives {version}; `client` has the SDKs' own listTools, callTool and close. */
module.exports = async function bridge({ client, connect }) {
  const work = {
    async connect() {
      const version = await connect();
      // The SDKs check answers against output schemas of tools that they have seen listed.
      await client.listTools();
      return { version };
    },
    tools: () => client.listTools(),
    call: ({ name, arguments: args }) => client.callTool({ name, arguments: args }),
  };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = { result: await work[request.do](request) };
    } catch (error) {
      answer = { error: String(error?.stack ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await client.close();
};
