import CurlewCore
import Testing

@Suite("Reconnect policy")
struct ReconnectPolicyTests {
    typealias After = ReconnectPolicy.AfterFailure

    private func at(_ seconds: Int64) -> Timestamp { Timestamp(elapsed: .seconds(seconds)) }

    private func policy(
        servers: Int = 1, version: ReconnectPolicy.Version = .automatic, tries: Int? = nil
    ) -> ReconnectPolicy {
        var settings = ReconnectSettings()
        settings.maximumAttempts = tries
        return ReconnectPolicy(serverCount: servers, version: version, settings: settings)
    }

    // MARK: Delays

    @Test("The longest delays are 1, 2, 4 … 120 s, and the shortest is 250 ms")
    func bounds() {
        var (longest, shortest) = (ReconnectBackoff(settings: .init()), ReconnectBackoff(settings: .init()))
        for seconds in [1, 2, 4, 8, 16, 32, 64, 120, 120] { #expect(longest.next(random: .max) == .seconds(seconds)) }
        for _ in 0..<200 { #expect(shortest.next(random: 0) == .milliseconds(250)) }
        #expect(shortest.next(random: .max) == .seconds(120))
        longest.reset()
        #expect(longest.next(random: .max) == .seconds(1))
    }

    @Test("Delays are spread evenly between their limits", arguments: 1...3 as ClosedRange<UInt64>)
    func jitter(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var quarters = [0, 0, 0, 0]
        for _ in 0..<4_000 {
            var backoff = ReconnectBackoff(settings: .init())
            let delay = backoff.next(random: random.next())
            #expect(delay >= .milliseconds(250) && delay <= .seconds(1))
            let quarter = (delay - .milliseconds(250)) / .milliseconds(188)
            quarters[min(3, Int(quarter))] += 1
        }
        for count in quarters { #expect((850...1_150).contains(count)) }
    }

    @Test("Contradictory or extreme settings still give a delay")
    func oddSettings() {
        var settings = ReconnectSettings()
        settings.baseDelay = .seconds(Int64.max)
        settings.maximumDelay = .seconds(Int64.max)
        var huge = ReconnectBackoff(settings: settings)
        for _ in 0..<100 { #expect(huge.next(random: .max) > .seconds(86_400)) }
        settings.maximumDelay = .zero
        settings.baseDelay = .seconds(-5)
        var tiny = ReconnectBackoff(settings: settings)
        for _ in 0..<100 { #expect(tiny.next(random: .max) == .milliseconds(250)) }
    }

    @Test("The delay grows until a connection has been stable for 30 s")
    func stability() {
        var policy = policy()
        #expect(policy.failed(random: .max) == .connect(after: .seconds(1)))
        policy.accepted(at: at(10))
        #expect(policy.lost(at: at(39), random: .max) == .connect(after: .seconds(2)))
        policy.accepted(at: at(50))
        #expect(policy.lost(at: at(80), random: .max) == .connect(after: .seconds(1)))
    }

    @Test("The number of tries in a row can be limited")
    func limit() {
        var policy = policy(servers: 2, tries: 3)
        #expect(policy.failed(random: .max) == .connect(after: .zero))
        policy.accepted(at: at(0))
        #expect(policy.lost(at: at(1), random: .max) == .connect(after: .seconds(1)))
        #expect(policy.failed(random: .max) == .stop(.triesExhausted))
    }

    @Test("Losing a stable connection is not a failed try")
    func limitAfterStable() {
        var policy = policy(tries: 1)
        policy.accepted(at: at(0))
        #expect(policy.lost(at: at(30), random: .max) == .connect(after: .seconds(1)))
        #expect(policy.failed(random: .max) == .stop(.triesExhausted))
    }

    @Test("All allowed tries follow the loss of the first connection, however short it was")
    func limitAfterFirst() {
        var policy = policy(tries: 3)
        policy.accepted(at: at(0))
        #expect(policy.lost(at: at(1), random: .max) == .connect(after: .seconds(1)))
        #expect(policy.failed(random: .max) == .connect(after: .seconds(2)))
        // A connection that is accepted and lost at once is a try too.
        policy.accepted(at: at(5))
        #expect(policy.lost(at: at(6), random: .max) == .connect(after: .seconds(4)))
        #expect(policy.failed(random: .max) == .stop(.triesExhausted))
    }

    @Test("Jitter can be reduced or disabled", arguments: [0, 0.25, 1])
    func lessJitter(jitter: Double) {
        var settings = ReconnectSettings()
        settings.jitter = jitter
        for (random, expected) in [(UInt64.max, 1000.0), (0, 1000 - 750 * jitter)] {
            var backoff = ReconnectBackoff(settings: settings)
            #expect(backoff.next(random: random) / .milliseconds(1) == expected)
        }
    }

    @Test("Refused credentials can be made final for a client that was accepted before")
    func refusedCredentials() {
        var settings = ReconnectSettings()
        settings.retriesRefusedCredentials = false
        for reason in [ReasonCode.notAuthorized, .badUserNameOrPassword] {
            var policy = ReconnectPolicy(settings: settings)
            policy.accepted(at: at(0))
            _ = policy.lost(at: at(60), random: 0)
            #expect(policy.refused(reason, random: 0) == .stop(.reason(reason)))
            #expect(policy.refused(.serverUnavailable, random: .max) == .connect(after: .seconds(2)))
        }
    }

    // MARK: Unanswered CONNECTs

    @Test("A server that does not answer 5.0 is tried once with 3.1.1, both within one timeout")
    func silence() {
        var policy = policy()
        #expect(policy.patience(of: .seconds(10)) == .seconds(5))
        #expect(policy.unanswered(random: .max) == .connect(after: .zero))
        #expect(policy.version == .v3_1_1)
        #expect(policy.patience(of: .seconds(10)) == .seconds(5))
        #expect(policy.unanswered(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.version == .v5_0)
    }

    @Test("A server that accepts the older version keeps it, with the full timeout")
    func answersOlder() {
        var policy = policy()
        _ = policy.unanswered(random: .max)
        policy.accepted(at: at(0))
        _ = policy.lost(at: at(60), random: .max)
        #expect(policy.version == .v3_1_1)
        #expect(policy.patience(of: .seconds(10)) == .seconds(10))
    }

    @Test("There is no fallback after silence if 5.0 is fixed, was accepted before, or is required")
    func silenceElsewhere() {
        var fixed = policy(version: .fixed(.v5_0))
        #expect(fixed.patience(of: .seconds(10)) == .seconds(10))
        #expect(fixed.unanswered(random: .max) == .connect(after: .seconds(1)))
        #expect(fixed.version == .v5_0)
        var accepted = policy()
        accepted.accepted(at: at(0))
        _ = accepted.lost(at: at(60), random: 0)
        #expect(accepted.patience(of: .seconds(10)) == .seconds(10))
        #expect(accepted.unanswered(random: .max) != .connect(after: .zero))
        #expect(accepted.version == .v5_0)
        var needed = policy()
        #expect(needed.patience(of: .seconds(10), mayBeOlder: false) == .seconds(10))
        #expect(needed.unanswered(mayBeOlder: false, random: .max) == .connect(after: .seconds(1)))
    }

    // MARK: Servers

    @Test("Each server is tried at once; the delay comes after the round")
    func round() {
        var policy = policy(servers: 3)
        #expect(policy.failed(random: .max) == .connect(after: .zero))
        #expect(policy.refused(.serverBusy, random: .max) == .connect(after: .zero))
        #expect(policy.server.index == 2)
        #expect(policy.failed(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.server.index == 0)
    }

    @Test("A lost connection is retried at the same server; after a shutdown, the next server is tried")
    func lost() {
        var policy = policy(servers: 2)
        _ = policy.failed(random: 0)
        policy.accepted(at: at(0))
        #expect(policy.lost(at: at(60), random: .max) == .connect(after: .seconds(1)))
        #expect(policy.server.index == 1)
        policy.accepted(at: at(70))
        #expect(policy.lost(reason: .serverShuttingDown, at: at(130), random: .max) == .connect(after: .zero))
        #expect(policy.server.index == 0)
    }

    @Test(
        "Servers that accept and shut down at once are retried without a delay only once per round",
        arguments: [1, 2, 5])
    func noHotLoop(servers: Int) {
        var policy = policy(servers: servers)
        var immediate = 0
        for _ in 0..<100 {
            policy.accepted(at: at(0))
            if policy.lost(reason: .serverBusy, at: at(1), random: 0) == .connect(after: .zero) { immediate += 1 }
        }
        #expect(immediate == 100 - 100 / servers)
    }

    // MARK: Redirection

    @Test("A redirection is followed at once, temporarily or permanently")
    func redirection() {
        var policy = policy()
        #expect(policy.refused(.useAnotherServer, serverReference: "b:1884", random: 0) == .connect(after: .zero))
        #expect(policy.server == .init(index: 0, address: ServerAddress(host: "b", port: 1884)))
        #expect(policy.failed(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.server == .init(index: 0))
        policy.accepted(at: at(0))
        #expect(
            policy.lost(reason: .serverMoved, serverReference: "c", at: at(60), random: 0) == .connect(after: .zero))
        #expect(policy.failed(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.server == .init(index: 0, address: ServerAddress(host: "c")))
    }

    @Test("A redirection without a usable address counts as a failure of the server", arguments: [nil, "", "://"])
    func redirectionToNowhere(reference: String?) {
        var policy = policy(servers: 2)
        #expect(policy.refused(.useAnotherServer, serverReference: reference, random: .max) == .connect(after: .zero))
        #expect(policy.server.index == 1)
        #expect(policy.refused(.serverMoved, serverReference: reference, random: .max) == .connect(after: .seconds(1)))
    }

    @Test("Servers that redirect in circles get a delay")
    func circle() {
        var policy = policy()
        for host in ["b", "a", "b", "a"] {
            #expect(policy.refused(.useAnotherServer, serverReference: host, random: .max) == .connect(after: .zero))
        }
        #expect(policy.refused(.useAnotherServer, serverReference: "b", random: .max) == .connect(after: .seconds(1)))
    }

    // MARK: Versions

    @Test("A server that refuses 5.0 is tried once with 3.1.1")
    func olderVersion() {
        var policy = policy()
        #expect(policy.version == .v5_0)
        #expect(policy.refused(.unsupportedProtocolVersion, random: 0) == .connect(after: .zero))
        #expect(policy.version == .v3_1_1)
        #expect(policy.refused(.unsupportedProtocolVersion, random: 0) == .stop(.reason(.unsupportedProtocolVersion)))
    }

    @Test("A fixed version is not changed", arguments: ProtocolVersion.allCases)
    func fixedVersion(version: ProtocolVersion) {
        var policy = policy(version: .fixed(version))
        #expect(policy.version == version)
        #expect(policy.closedBeforeConnAck(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.refused(.unsupportedProtocolVersion, random: 0) == .stop(.reason(.unsupportedProtocolVersion)))
        #expect(policy.version == version)
    }

    @Test("A server that closes the connection on CONNECT is tried with 3.1.1, once in each round")
    func closedBeforeConnAck() {
        var policy = policy()
        #expect(policy.closedBeforeConnAck(random: .max) == .connect(after: .zero))
        #expect(policy.version == .v3_1_1)
        #expect(policy.closedBeforeConnAck(random: .max) == .connect(after: .seconds(1)))
        #expect(policy.version == .v5_0, "the guess was wrong")
    }

    @Test("A server that refuses 3.1.1 as well is tried with 5.0 again")
    func wrongGuess() {
        var policy = policy()
        _ = policy.closedBeforeConnAck(random: .max)
        #expect(policy.refused(.unsupportedProtocolVersion, random: .max) == .connect(after: .seconds(1)))
        #expect(policy.version == .v5_0)
    }

    @Test("There is no fallback if 3.1.1 does not support what the user wants")
    func noGuess() {
        var policy = policy()
        #expect(policy.closedBeforeConnAck(mayBeOlder: false, random: .max) == .connect(after: .seconds(1)))
        #expect(policy.version == .v5_0)
    }

    @Test("An accepted version is kept, whether 3.1.1 or 5.0")
    func acceptedVersion() {
        var older = policy()
        _ = older.closedBeforeConnAck(random: 0)
        older.accepted(at: at(0))
        _ = older.lost(at: at(60), random: 0)
        _ = older.failed(random: 0)
        #expect(older.version == .v3_1_1)

        var newer = policy()
        newer.accepted(at: at(0))
        _ = newer.lost(at: at(60), random: 0)
        #expect(newer.closedBeforeConnAck(random: .max) != .connect(after: .zero))
        #expect(newer.version == .v5_0)
    }

    @Test("A different server is tried with 5.0 again")
    func versionOfAnotherServer() {
        var policy = policy(servers: 2)
        _ = policy.refused(.unsupportedProtocolVersion, random: 0)
        policy.accepted(at: at(0))
        _ = policy.lost(reason: .serverShuttingDown, at: at(60), random: 0)
        #expect(policy.server.index == 1)
        #expect(policy.version == .v5_0)
    }

    // MARK: Reason codes

    @Test("A client whose session was taken over does not reconnect")
    func takenOver() {
        var policy = policy(servers: 3)
        policy.accepted(at: at(0))
        #expect(policy.lost(reason: .sessionTakenOver, at: at(60), random: 0) == .stop(.reason(.sessionTakenOver)))
    }

    @Test("Bad credentials stop a first connection, but not a client that was accepted before")
    func credentials() {
        for reason in [ReasonCode.badUserNameOrPassword, .notAuthorized] {
            var policy = policy()
            #expect(policy.refused(reason, random: .max) == .stop(.reason(reason)))
            policy.accepted(at: at(0))
            #expect(policy.lost(at: at(60), random: .max) == .connect(after: .seconds(1)))
            #expect(policy.refused(reason, random: .max) == .connect(after: .seconds(2)))
        }
    }

    /// The advice for each reason code, in CONNACK and in DISCONNECT. All others mean a retry.
    private static let table: [(code: ReasonCode, connAck: ReconnectAdvice, disconnect: ReconnectAdvice)] = [
        (.normalDisconnection, .retry, .retry),
        (.disconnectWithWillMessage, .retry, .retry),
        (.unspecifiedError, .nextServer, .retry),
        (.malformedPacket, .stop, .retry),
        (.protocolError, .stop, .retry),
        (.implementationSpecificError, .nextServer, .retry),
        (.unsupportedProtocolVersion, .olderVersion, .retry),
        (.clientIdentifierNotValid, .stop, .retry),
        (.badUserNameOrPassword, .retryIfAcceptedBefore, .retry),
        (.notAuthorized, .retryIfAcceptedBefore, .retry),
        (.serverUnavailable, .nextServer, .retry),
        (.serverBusy, .nextServer, .nextServer),
        (.banned, .stop, .stop),
        (.serverShuttingDown, .nextServer, .nextServer),
        (.badAuthenticationMethod, .stop, .retry),
        (.keepAliveTimeout, .retry, .retry),
        (.sessionTakenOver, .retry, .stop),
        (.topicFilterInvalid, .retry, .retry),
        (.topicNameInvalid, .stop, .retry),
        (.packetIdentifierInUse, .retry, .retry),
        (.packetIdentifierNotFound, .retry, .retry),
        (.receiveMaximumExceeded, .retry, .retry),
        (.topicAliasInvalid, .retry, .retry),
        (.packetTooLarge, .stop, .retry),
        (.messageRateTooHigh, .retry, .retry),
        (.quotaExceeded, .nextServer, .retry),
        (.administrativeAction, .retry, .retry),
        (.payloadFormatInvalid, .stop, .retry),
        (.retainNotSupported, .stop, .retry),
        (.qosNotSupported, .stop, .retry),
        (.useAnotherServer, .redirectForNow, .redirectForNow),
        (.serverMoved, .redirectForGood, .redirectForGood),
        (.sharedSubscriptionsNotSupported, .retry, .retry),
        (.connectionRateExceeded, .retry, .retry),
        (.maximumConnectTime, .retry, .retry),
        (.subscriptionIdentifiersNotSupported, .retry, .retry),
        (.wildcardSubscriptionsNotSupported, .retry, .retry),
    ]

    @Test("Every reason code has its advice, for CONNACK [MQTT-3.2.2-8] and for DISCONNECT [MQTT-3.14.2-1]")
    func advice() {
        let rows = Dictionary(uniqueKeysWithValues: Self.table.map { ($0.code, $0) })
        for byte in UInt8.min...UInt8.max {
            let code = ReasonCode(rawValue: byte)
            #expect(code.adviceAfterConnAck == rows[code]?.connAck ?? .retry, "CONNACK \(byte)")
            #expect(code.adviceAfterDisconnect == rows[code]?.disconnect ?? .retry, "DISCONNECT \(byte)")
        }
        for byte in 0x80...0xA2 as ClosedRange<UInt8> {
            #expect(rows[ReasonCode(rawValue: byte)] != nil, "the table has every failure that the standard names")
        }
    }

    @Test("Tries without a delay are limited, whatever the server answers", arguments: 1...4 as ClosedRange<UInt64>)
    func randomWeather(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let servers = Int.random(in: 1...4, using: &random)
        var policy = policy(servers: servers)
        var (immediate, delays, now) = (0, 0, Int64(0))
        for _ in 0..<20_000 {
            now += 1
            let reason = random.pick(Self.table).code
            let reference = random.pick([nil, "a", "a b:1 c", "?"])
            let after: After
            switch Int.random(in: 0..<4, using: &random) {
            case 0: after = policy.failed(random: random.next())
            case 1: after = policy.closedBeforeConnAck(random: random.next())
            case 2: after = policy.refused(reason, serverReference: reference, random: random.next())
            default:
                policy.accepted(at: at(now))
                after = policy.lost(reason: reason, serverReference: reference, at: at(now + 1), random: random.next())
            }
            #expect((0..<servers).contains(policy.server.index))
            switch after {
            case .connect(after: .zero):
                immediate += 1
                #expect(immediate < 400, "in a row")
            case .connect(let delay):
                #expect(delay >= .milliseconds(250) && delay <= .seconds(120))
                delays += 1
                immediate = 0
            case .stop(let stop):
                #expect(stop != .triesExhausted)
                immediate = 0
            }
        }
        #expect(delays > 1_000)
    }
}
