// How much anybody may ask of the broker. Every queue, wait and count that the network can drive has its number here.

/** All times in milliseconds unless the name says otherwise, all sizes in bytes. */
export interface BrokerLimits {
  /** Largest packet accepted after authentication; advertised to MQTT 5 clients. */
  packet: number
  /** Largest packet accepted before it. */
  packetBeforeAuth: number
  topicBytes: number
  topicLevels: number
  clientIdBytes: number
  /** Home Assistant sends up to 500 in one SUBSCRIBE. */
  filtersPerPacket: number
  subscriptionsPerClient: number
  /**
   * Receive Maximum towards MQTT 5 clients. Beyond it a QoS 2 message ends the connection (0x93); QoS 1 is held back by
   * not reading on. Well above what a client has in flight that does not look at it, as some libraries do not.
   */
  receiveMaximum: number
  /** QoS 2 messages a client may have begun and not released; beyond it the connection ends (0x93 on MQTT 5). */
  maxInflightInbound: number
  topicAliasMaximum: number
  /** Topic aliases used towards a client, if it allows as many. */
  outboundTopicAliases: number
  /** QoS 1/2 messages that wait for a client without a lasting session to acknowledge others; more are dropped, counted. */
  waitingOutbound: number
  sessionExpirySeconds: number
  pendingSessions: number
  /** Lasting sessions of one principal (`press`, `press-2`, …). */
  sessionsPerOrigin: number
  /** Longest keep alive granted to MQTT 5 clients. Older ones cannot be told, so for them TCP keep-alive watches. */
  keepaliveSeconds: number
  /** From TCP connection to CONNECT. */
  connectTimeout: number
  /** For one answer of a hook, the password check included. */
  hookTimeout: number
  /** For the journal to have what a client waits to see acknowledged. */
  commitTimeout: number
  /** For a socket to take what is written to it. */
  drainTimeout: number
  /** Above this much unsent, QoS 0 messages to a client are dropped. */
  unsentSoft: number
  /** A client that stays above it for this long is cut. */
  unsentSoftFor: number
  /** Above this much unsent a client is cut at once. */
  unsentHard: number
  connections: number
  connectionsPerAddress: number
  /** Connections of one address that have not authenticated yet. */
  strangersPerAddress: number
  /** Failed logins of one address before it has to wait, and how many per second it gets back. */
  loginFailures: number
  loginFailuresPerSecond: number
  backlog: number
  /** How often a running broker says in the store that it lives. Wills left by one that died are sent after four of these. */
  heartbeat: number
}

export const DEFAULT_LIMITS: Readonly<BrokerLimits> = {
  packet: 1024 * 1024,
  packetBeforeAuth: 16 * 1024,
  topicBytes: 1024,
  topicLevels: 16,
  clientIdBytes: 128,
  filtersPerPacket: 1000,
  subscriptionsPerClient: 10_000,
  receiveMaximum: 1000,
  maxInflightInbound: 1000,
  topicAliasMaximum: 10,
  outboundTopicAliases: 64,
  waitingOutbound: 1000,
  sessionExpirySeconds: 7 * 24 * 3600,
  pendingSessions: 10_000,
  sessionsPerOrigin: 32,
  keepaliveSeconds: 3600,
  connectTimeout: 4500,
  hookTimeout: 5000,
  commitTimeout: 30_000,
  drainTimeout: 10_000,
  unsentSoft: 1024 * 1024,
  unsentSoftFor: 6_000,
  unsentHard: 16 * 1024 * 1024,
  connections: 20_000,
  connectionsPerAddress: 512,
  strangersPerAddress: 32,
  loginFailures: 50,
  loginFailuresPerSecond: 5,
  backlog: 4096,
  heartbeat: 10_000,
}
