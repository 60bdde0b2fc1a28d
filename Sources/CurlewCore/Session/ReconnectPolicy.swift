/// Decides what to do after a connection failed or was lost: which server to try next, in which version and when, or to
/// stop.
/// Lives as long as the client.
package struct ReconnectPolicy: Sendable {
    /// Which versions of MQTT the user allows.
    package enum Version: Hashable, Sendable {
        /// 5.0, or 3.1.1 if the server does not support 5.0.
        case automatic
        case fixed(ProtocolVersion)
    }

    /// The decision after a connection failed.
    package enum AfterFailure: Hashable, Sendable {
        /// Connect to ``server`` in ``version`` after this delay; zero means at once.
        case connect(after: Duration)
        /// Do not reconnect automatically.
        case stop(Stop)
    }

    /// Why there is no further attempt.
    package enum Stop: Hashable, Sendable {
        /// The server's reason code means that another attempt would fail as well.
        case reason(ReasonCode)
        /// The maximum number of consecutive attempts has failed.
        case triesExhausted
    }

    private let settings: ReconnectSettings
    private let versions: Version
    private var servers: ServerList
    private var backoff: ReconnectBackoff

    /// The version to connect with.
    package private(set) var version: ProtocolVersion
    /// Whether the version is older only because a server did not answer the newer one.
    package private(set) var isGuess = false
    /// Whether that server left the connection open without answering.
    package private(set) var followsSilence = false
    /// Consecutive attempts that failed, or whose connection did not last.
    private var failures = 0
    private var redirections = 0
    private var wasAccepted = false
    /// Whether an accepted connection has ended since the start.
    private var wasLost = false
    /// Whether a server has spoken 5.0: if it later closes a connection without an answer, the version is not the
    /// reason.
    private var wasAcceptedIn5 = false
    private var acceptedAt: Timestamp?

    /// - Parameters:
    ///   - serverCount: The number of configured servers.
    ///   - version: The allowed versions.
    package init(serverCount: Int = 1, version: Version = .automatic, settings: ReconnectSettings = ReconnectSettings())
    {
        self.settings = settings
        self.versions = version
        self.servers = ServerList(count: serverCount)
        self.backoff = ReconnectBackoff(settings: settings)
        self.version = version.first
    }

    /// The server to connect to.
    package var server: ServerList.Server { self.servers.current }

    // MARK: Events

    /// CONNACK came with success.
    package mutating func accepted(at now: Timestamp) {
        self.wasAccepted = true
        if self.version == .v5_0 { self.wasAcceptedIn5 = true }
        self.isGuess = false
        self.followsSilence = false
        self.acceptedAt = now
    }

    /// There was no connection (unknown host, refused, TLS failure, timeout), or no CONNACK in time.
    package mutating func failed(random: UInt64) -> AfterFailure {
        self.countFailure() ?? self.nextServer(random: random)
    }

    /// The server closed an open connection before CONNACK.
    ///
    /// Some servers respond this way to a CONNECT in an unknown version, so 3.1.1 gets one attempt. It gets none if a
    /// server of this client has spoken 5.0 before: then the cause is another one, and the attempt would only cost the
    /// session its 5.0 features.
    ///
    /// - Parameter mayBeOlder: Whether the configuration can be expressed in the older version.
    package mutating func closedBeforeConnAck(mayBeOlder: Bool = true, random: UInt64) -> AfterFailure {
        self.guessOlderVersion(mayBeOlder) ?? self.failed(random: random)
    }

    /// The server did not answer CONNECT, so the connection was closed.
    ///
    /// Some servers stay silent after a CONNECT in an unknown version. As after a closed connection, 3.1.1 gets one
    /// attempt.
    ///
    /// - Parameter mayBeOlder: Whether the configuration can be expressed in the older version.
    package mutating func unanswered(mayBeOlder: Bool = true, random: UInt64) -> AfterFailure {
        guard let next = self.guessOlderVersion(mayBeOlder) else { return self.failed(random: random) }
        self.followsSilence = true
        return next
    }

    /// How long the server may take to answer CONNECT, given the configured timeout. An attempt that may be followed
    /// by another one in the older version gets half of it, and so does the second one.
    package func patience(of whole: Duration, mayBeOlder: Bool = true) -> Duration {
        mayBeOlder && self.mayGuessOlderVersion || self.followsSilence ? whole / 2 : whole
    }

    private var mayGuessOlderVersion: Bool {
        self.versions == .automatic && self.version == .v5_0 && !self.wasAcceptedIn5
    }

    private mutating func guessOlderVersion(_ mayBeOlder: Bool) -> AfterFailure? {
        guard mayBeOlder, self.mayGuessOlderVersion, self.useOlderVersion() else { return nil }
        self.isGuess = true
        return .connect(after: .zero)
    }

    /// CONNACK came with a failure.
    ///
    /// - Parameter serverReference: The Server Reference of the CONNACK packet.
    package mutating func refused(
        _ reason: ReasonCode, serverReference: String? = nil, random: UInt64
    ) -> AfterFailure {
        self.follow(reason.adviceAfterConnAck, reason, serverReference, random)
    }

    /// An accepted connection ended.
    ///
    /// - Parameters:
    ///   - reason: The reason code of the server's DISCONNECT; `nil` if there was none.
    ///   - serverReference: The Server Reference of the DISCONNECT packet.
    package mutating func lost(
        reason: ReasonCode? = nil, serverReference: String? = nil, at now: Timestamp, random: UInt64
    ) -> AfterFailure {
        let wasStable = self.acceptedAt.map { now - $0 >= self.settings.stableAfter } ?? false
        self.acceptedAt = nil
        // The attempt that made the first connection does not count as a reconnection.
        let isFirst = !self.wasLost && self.failures == 0
        self.wasLost = true
        if wasStable {
            self.failures = 0
            self.redirections = 0
            self.backoff.reset()
            self.servers.startRound()
        }
        return self.follow(
            reason?.adviceAfterDisconnect ?? .retry, reason ?? .success, serverReference, random, wasStable || isFirst)
    }

    // MARK: Decisions

    private mutating func follow(
        _ advice: ReconnectAdvice, _ reason: ReasonCode, _ reference: String?, _ random: UInt64,
        _ isNoFailure: Bool = false
    ) -> AfterFailure {
        switch advice {
        case .stop:
            return .stop(.reason(reason))
        case .olderVersion where self.isGuess:
            // The server does know the newer version, and was silent for another reason.
            return self.failed(random: random)
        case .olderVersion:
            return self.useOlderVersion() ? .connect(after: .zero) : .stop(.reason(reason))
        case .retryIfAcceptedBefore where !self.wasAccepted || !self.settings.retriesRefusedCredentials:
            return .stop(.reason(reason))
        case .redirectForNow, .redirectForGood:
            let addresses = reference.map(ServerAddress.list(fromReference:)) ?? []
            if !addresses.isEmpty, self.redirections < self.settings.maximumRedirections {
                self.redirections += 1
                if advice == .redirectForNow {
                    self.servers.useInstead(addresses)
                } else {
                    self.servers.replaceCurrent(by: addresses)
                }
                self.useFirstVersion()
                return .connect(after: .zero)
            }
            return (isNoFailure ? nil : self.countFailure()) ?? self.nextServer(random: random)
        case .nextServer:
            return (isNoFailure ? nil : self.countFailure()) ?? self.nextServer(random: random)
        case .retry, .retryIfAcceptedBefore:
            return (isNoFailure ? nil : self.countFailure()) ?? self.delay(random: random)
        }
    }

    private mutating func countFailure() -> AfterFailure? {
        self.failures += 1
        guard let maximum = self.settings.maximumAttempts, self.failures >= maximum else { return nil }
        return .stop(.triesExhausted)
    }

    private mutating func nextServer(random: UInt64) -> AfterFailure {
        let before = self.servers.current
        let next = self.servers.currentFailed()
        // One server's answer to a version says nothing about another server; and a wrong guess must not persist.
        if self.servers.current != before || !self.wasAccepted { self.useFirstVersion() }
        switch next {
        case .tryNext: return .connect(after: .zero)
        case .roundIsOver: return self.delay(random: random)
        }
    }

    private mutating func delay(random: UInt64) -> AfterFailure {
        self.servers.startRound()
        self.redirections = 0
        return .connect(after: self.backoff.next(random: random))
    }

    private mutating func useFirstVersion() {
        self.version = self.versions.first
        self.isGuess = false
        self.followsSilence = false
    }

    private mutating func useOlderVersion() -> Bool {
        guard self.versions == .automatic, self.version == .v5_0 else { return false }
        self.version = .v3_1_1
        return true
    }
}

extension ReconnectPolicy.Version {
    /// The version to begin with.
    package var first: ProtocolVersion {
        switch self {
        case .automatic: .v5_0
        case .fixed(let version): version
        }
    }
}
