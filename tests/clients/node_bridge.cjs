// Lets a client by others do what lines of JSON on stdin say; one line of JSON on stdout answers each.
'use strict';

const readline = require('node:readline');

/**
 * `connect` gives the version; `client` has what both SDKs call by the same names; `handle` takes what to do with questions
 * to a person and with news of resources; `subscribe` asks for such news, and gives what ends that.
 */
module.exports = async function bridge({ client, connect, handle, subscribe }) {
  const asked = [];
  let says = { action: 'decline' };
  let news = 0;
  let waiting = null;
  let end = null;
  handle({
    elicit: (params) => {
      asked.push(params.message);
      return says;
    },
    updated: () => {
      news += 1;
      waiting?.();
    },
  });
  const work = {
    async connect() {
      const version = await connect();
      // The SDKs check answers against output schemas of tools that they have seen listed.
      await client.listTools();
      return { version, instructions: client.getInstructions() ?? null };
    },
    tools: () => client.listTools(),
    call: ({ name, arguments: args }) => client.callTool({ name, arguments: args }),
    resources: () => client.listResources(),
    templates: () => client.listResourceTemplates(),
    read: ({ uri }) => client.readResource({ uri }),
    prompts: () => client.listPrompts(),
    prompt: ({ name, arguments: args }) => client.getPrompt({ name, arguments: args }),
    complete: ({ reference, argument }) => client.complete({ ref: reference, argument }),
    async says({ answer }) {
      says = answer;
      return {};
    },
    asked: async () => ({ asked }),
    async subscribe({ uri }) {
      news = 0;
      end = await subscribe(uri);
      return {};
    },
    async told() {
      if (news === 0) await new Promise((resolve) => { waiting = resolve; });
      news = 0;
      return {};
    },
    async unsubscribe() {
      await end();
      return {};
    },
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
