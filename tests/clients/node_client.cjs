// `@modelcontextprotocol/client` 2: the stateless era, or the older one.
'use strict';

const { Client } = require('@modelcontextprotocol/client');
const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio');
const bridge = require('./node_bridge.cjs');

const [command, cwd, era] = process.argv.slice(2);
const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
const client = new Client(
  { name: 'foreign-client', version: '1.0.0' },
  { versionNegotiation: { mode }, capabilities: { elicitation: { form: {} } } },
);
const transport = new StdioClientTransport({ command, args: ['mcp'], cwd, env: process.env });

bridge({
  client,
  async connect() {
    await client.connect(transport);
    return client.getNegotiatedProtocolVersion() ?? null;
  },
  handle({ elicit, updated }) {
    client.setRequestHandler('elicitation/create', async (request) => elicit(request.params));
    client.setNotificationHandler('notifications/resources/updated', () => updated());
  },
  async subscribe(uri) {
    if (era === 'modern') {
      const subscription = await client.listen({ resourceSubscriptions: [uri] });
      return () => subscription.close();
    }
    await client.subscribeResource({ uri });
    return () => client.unsubscribeResource({ uri });
  },
}).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
