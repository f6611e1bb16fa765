// Categorizes the errors of an imaginary payment service.

const RULES = [
  { pattern: /card (\w+) was declined/, category: "payment", title: "a card was declined" },
  { pattern: /ledger .* out of balance/, category: "accounting", title: "the ledger is out of balance" },
];

export const metadata = {
  describe() {
    return {
      name: "payments",
      version: "0.1.0",
      summary: "Categorizes the errors of the payment service.",
      configSchema: undefined,
      extra: [],
    };
  },
};

export const lifecycle = {
  configure(_configJson) {},
};

export const errorCategorizing = {
  categorize({ bytes, ends }) {
    const decoder = new TextDecoder();
    let start = 0;
    return Array.from(ends, (end) => {
      const text = decoder.decode(bytes.subarray(start, end));
      start = end;
      return verdict(text);
    });
  },
};

function verdict(text) {
  const rule = RULES.find(({ pattern }) => pattern.test(text));
  if (!rule) return undefined;
  const { category, title } = rule;
  return { category, confidence: 90, title, exceptions: [], fingerprint: [], suggestion: undefined };
}
