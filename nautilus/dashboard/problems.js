// What is wrong with the node, in a few lines for the top of the page; the worst first.

const MOST_LINES = 5;
const NUMBERS = /\d+/g;

/** Whether the node waits for accounts that another one trades: no fault, but it does not trade. */
export function isStandingBy(cluster) {
  return Boolean(cluster?.ownership && !cluster.ownership.trading && cluster.edges && !cluster.edges.running);
}

/** Channels that should carry messages and do not. */
export function brokenChannels(cluster) {
  return cluster?.edges?.running ? cluster.edges.channels.filter((edge) => !edge.connected) : [];
}

/**
 * Lines {tone: "bad"|"warn", text} from the cluster's report (null without one) and the answer of /health/ready:
 * {problems} of a node that is ready, {detail} of one that is not.
 */
export function problemsOf(cluster, readiness) {
  const lines = [...ownerLines(cluster), ...edgeLines(cluster)];
  if (readiness?.detail && !isStandingBy(cluster)) lines.push({ tone: "bad", text: `Not ready: ${readiness.detail}` });
  const others = new Set([...otherProblems(cluster), ...healthProblems(cluster, readiness)]);
  return [...lines, ...[...others].map((text) => ({ tone: "warn", text }))];
}

/** At most so many lines, and then how many more there are. */
export function shortened(lines, most = MOST_LINES) {
  if (lines.length <= most) return lines;
  const more = lines.length - most + 1;
  return [...lines.slice(0, most - 1), { tone: lines[most - 1].tone, text: `and ${more} more, see System below` }];
}

function ownerLines(cluster) {
  const owner = cluster?.ownership;
  if (!owner || owner.trading) return [];
  if (isStandingBy(cluster)) return [{ tone: "warn", text: `Standing by, not trading: ${owner.reason}` }];
  return [{ tone: "bad", text: `This node may not trade: ${owner.reason}` }];
}

function edgeLines(cluster) {
  const broken = brokenChannels(cluster);
  if (!broken.length) return [];
  const names = broken.map((edge) => edge.channel).join(", ");
  return [{ tone: "bad", text: `Not connected to other processes: ${names}` }];
}

/** The cluster's problems without what the lines above say already. */
function otherProblems(cluster) {
  if (!cluster) return [];
  const covered = new Set(brokenChannels(cluster).flatMap((edge) => edge.problems));
  const owner = cluster.ownership && !cluster.ownership.trading ? cluster.ownership.reason : null;
  return cluster.problems.filter((text) => !covered.has(text) && !(owner && owner.includes(text)));
}

/** The node's problems that are not the cluster's: the two were asked at different times, so counts may differ. */
function healthProblems(cluster, readiness) {
  const known = new Set((cluster?.problems ?? []).map(withoutNumbers));
  return (readiness?.problems ?? []).filter((text) => !known.has(withoutNumbers(text)));
}

const withoutNumbers = (text) => text.replace(NUMBERS, "#");
