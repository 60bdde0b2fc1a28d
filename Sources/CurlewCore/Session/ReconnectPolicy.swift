/// What to do when a connection could not be made or was lost: try again where, in which version and when, or stop.
/// Lives as long as the client.
package struct ReconnectPolicy: Sendable {
    /// Which versions of MQTT the user allows.
    package enum Version: Hashable, Sendable {
        /// 5.0, and 3.1.1 when the server does not know 5.0.
        case automatic
        case fixed(ProtocolVersion)
    }

    /// After a connection failed, in whichever way.
    package enum AfterFailure: Hashable, Sendable {
        /// Connect to ``server`` in ``version`` after this time; zero is at once.
        case connect(after: Duration)
        /// Do not connect again by yourself.
        case stop(Stop)
    }

    /// Why there is no further try.
    package enum Stop: Hashable, Sendable {
        /// The server's reason code leaves no hope.
        case reason(ReasonCode)
        /// As many tries in a row failed as the user allows.
        case triesExhausted
    }

    private let settings: ReconnectSettings
    private let versions: Version
    private var servers: ServerList
    private var backoff: ReconnectBackoff

    /// The version to connect with.
    package private(set) var version: ProtocolVersion
    /// Whether that version is older only because a server said nothing to the newer one.
    package private(set) var isGuess = false
    /// Whether that server did not even close the connection.
    package private(set) var followsSilence = false
    /// Tries in a row that failed or did not last.
    private var failures = 0
    private var redirections = 0
    private var wasAccepted = false
    /// Whether a connection that was accepted has ended since the start.
    private var wasLost = false
    /// A server has spoken 5.0: one that closes a connection without a word does so for another reason.
    private var wasAcceptedIn5 = false
    private var acceptedAt: Timestamp?

    /// - Parameters:
    ///   - serverCount: how many servers are configured.
    ///   - version: which versions are allowed.
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

    /// There was no connection (no such host, refused, TLS failed, time-out), or no CONNACK in time.
    package mutating func failed(random: UInt64) -> AfterFailure {
        self.countFailure() ?? self.nextServer(random: random)
    }

    /// The server closed the connection, which was open, before CONNACK.
    ///
    /// Some servers do so to a CONNECT of a version they do not know, so 3.1.1 has one try; not when a server of this
    /// client has spoken 5.0 before, as then the cause is another, and a try would only cost the session its 5.0.
    ///
    /// - Parameter mayBeOlder: whether what the user wants can be said in the older version.
    package mutating func closedBeforeConnAck(mayBeOlder: Bool = true, random: UInt64) -> AfterFailure {
        self.guessOlderVersion(mayBeOlder) ?? self.failed(random: random)
    }

    /// The server sent nothing in answer to CONNECT, and the connection is closed for that.
    ///
    /// Some servers are silent to a CONNECT of a version they do not know. As for one that closes the connection, 3.1.1 has one try.
    ///
    /// - Parameter mayBeOlder: whether what the user wants can be said in the older version.
    package mutating func unanswered(mayBeOlder: Bool = true, random: UInt64) -> AfterFailure {
        guard let next = self.guessOlderVersion(mayBeOlder) else { return self.failed(random: random) }
        self.followsSilence = true
        return next
    }

    /// How long the server may take to answer CONNECT now, of the time that the user allows: a try that may be followed by another
    /// in the older version, and that other one, have half of it each.
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
    /// - Parameter serverReference: that property of the CONNACK packet.
    package mutating func refused(
        _ reason: ReasonCode, serverReference: String? = nil, random: UInt64
    ) -> AfterFailure {
        self.follow(reason.adviceAfterConnAck, reason, serverReference, random)
    }

    /// A connection ended that had been accepted.
    ///
    /// - Parameters:
    ///   - reason: the code of the server's DISCONNECT; `nil` if there was none.
    ///   - serverReference: that property of the DISCONNECT packet.
    package mutating func lost(
        reason: ReasonCode? = nil, serverReference: String? = nil, at now: Timestamp, random: UInt64
    ) -> AfterFailure {
        let wasStable = self.acceptedAt.map { now - $0 >= self.settings.stableAfter } ?? false
        self.acceptedAt = nil
        // The try that made the first connection was none to reconnect.
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
            // So the server does know the newer one, and had another reason to say nothing.
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
        guard let maximum = self.settings.maximumTries, self.failures >= maximum else { return nil }
        return .stop(.triesExhausted)
    }

    private mutating func nextServer(random: UInt64) -> AfterFailure {
        let before = self.servers.current
        let next = self.servers.currentFailed()
        // What one server made of the version says nothing about another; and a guess that failed was wrong.
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
