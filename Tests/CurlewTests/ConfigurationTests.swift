import CurlewCore
import NIOCore
import Testing

@testable import Curlew

/// Checks an error's code, and that its message is a sentence with the given words.
func expectError(
    _ code: MQTTError.Code, mentioning words: [String], sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws(MQTTError) -> Void
) {
    do throws(MQTTError) {
        try body()
        Issue.record("Nothing was thrown.", sourceLocation: sourceLocation)
    } catch {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        #expect(error.message.hasSuffix("."), "\(error.message) is no sentence", sourceLocation: sourceLocation)
        for word in words {
            #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation)
        }
    }
}

/// One invalid configuration.
struct Impossible: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var code: MQTTError.Code = .invalidConfiguration
    let words: [String]
    let change: @Sendable (inout MQTTConfiguration) -> Void

    init(
        _ description: String, code: MQTTError.Code = .invalidConfiguration, _ words: String...,
        change: @escaping @Sendable (inout MQTTConfiguration) -> Void
    ) {
        self.testDescription = description
        self.code = code
        self.words = words
        self.change = change
    }

    static let values: [Self] = [
        Self("no server", "at least one") { $0.servers = [] },
        Self("empty host", "host is empty") { $0.servers = [.mqtt("")] },
        Self("URL as host", "MQTTConfiguration(url:)") { $0.servers = [.mqtt("mqtt://localhost")] },
        Self("bracketed host", "without", "brackets") { $0.servers = [.mqtt("[::1]")] },
        Self("port 0", "from 1 to 65535") { $0.servers = [.mqtt("a", port: 0)] },
        Self("port 65536 of the second server", "65536", "server b") {
            $0.servers = [.mqtt("a"), .mqtt("b", port: 65_536)]
        },
        Self("empty identifier", ".assignedByServer") { $0.clientIdentifier = .given("") },
        Self("identifier with NUL", "U+0000") { $0.clientIdentifier = .given("a\0") },
        Self("long identifier", "65535 bytes") { $0.clientIdentifier = .given(String(repeating: "a", count: 65_536)) },
        Self("long prefix", "prefix") {
            $0.clientIdentifier = .generated(prefix: String(repeating: "a", count: 65_530))
        },
        Self("keep alive too long", "whole seconds", "65535") { $0.connection.keepAlive = .seconds(65_536) },
        Self("keep alive negative", "whole seconds") { $0.connection.keepAlive = .seconds(-1) },
        Self("keep alive with a fraction", "whole seconds") { $0.connection.keepAlive = .milliseconds(1500) },
        Self("connect timeout", "connect timeout", "longer than zero") { $0.connection.connectTimeout = .zero },
        Self("handshake timeout", "handshake timeout") { $0.connection.handshakeTimeout = .zero },
        Self("ping timeout", "ping timeout") { $0.connection.pingTimeout = .seconds(-1) },
        Self("acknowledgement timeout", "acknowledgement timeout") { $0.connection.acknowledgementTimeout = .zero },
        Self("disconnect timeout", "disconnect timeout") { $0.connection.disconnectTimeout = .zero },
        Self("drain timeout", "drain timeout") { $0.connection.drainTimeout = .zero },
        Self("user name with NUL", "user name", "U+0000") { $0.credentials = .password(username: "\0", password: nil) },
        Self("long password", "password", "65535") {
            $0.credentials = .password(username: "u", password: .init(bytes: ByteBuffer(repeating: 1, count: 65_536)))
        },
        Self("expiry too long", "4294967294", ".never") { $0.session.expiry = .after(.seconds(4_294_967_295)) },
        Self("expiry with a fraction", "whole seconds") { $0.session.expiry = .after(.milliseconds(1)) },
        Self("in flight 0", "messages in flight", "from 1 to 65535") { $0.session.maximumInFlightMessages = 0 },
        Self("receive maximum 0", "receive maximum", "from 1 to 65535") { $0.session.receiveMaximum = 0 },
        Self("packet size 0", "maximum packet size", "from 1") { $0.session.maximumPacketSize = 0 },
        Self("packet size too large", "268435460") { $0.session.maximumPacketSize = 268_435_461 },
        Self("topic alias maximum", "from 0 to 65535") { $0.session.topicAliasMaximum = 65_536 },
        Self("user property", "value of a user property of the session") {
            $0.session.userProperties = [UserProperty("a", "\0")]
        },
        Self("will topic with wildcard", "will", "wildcard") { $0.will = .init(topic: "a/#", text: "") },
        Self("will topic empty", "will", "empty") { $0.will = .init(topic: "", text: "") },
        Self("long will", "will", "65535") {
            $0.will = .init(topic: "a", payload: ByteBuffer(repeating: 0, count: 65_536))
        },
        Self("negative will delay", "will delay") { $0.will = .init(topic: "a", text: "", delay: .seconds(-1)) },
        Self("reconnect initial delay", "initialDelay", "longer than zero") { $0.reconnect.initialDelay = .zero },
        Self("reconnect minimum over maximum", "minimumDelay", "maximumDelay") {
            $0.reconnect.minimumDelay = .seconds(121)
        },
        Self("reconnect initial over maximum", "initialDelay", "maximumDelay") {
            $0.reconnect.initialDelay = .seconds(121)
        },
        Self("reconnect stable", "stable", "negative") { $0.reconnect.stableAfter = .seconds(-1) },
        Self("no tries", ".disabled") { $0.reconnect.maximumAttempts = 0 },
        Self("no unsent bytes", "unsent bytes", "at least 1") { $0.queues.unsentBytes = 0 },
        Self("no outbox", "outbox", "messages") { $0.queues.outboxCount = 0 },
        Self("no outbox bytes", "outbox", "bytes") { $0.queues.outboxBytes = 0 },
        Self("no queue", "subscription queue", "messages") { $0.queues.subscription.count = 0 },
        Self("no queue bytes", "subscription queue", "bytes") { $0.queues.subscription.bytes = -1 },
        Self("unclaimed count", "unclaimed messages", "negative") { $0.queues.unclaimed.count = -1 },
        Self("unclaimed bytes", "unclaimed messages", "negative") { $0.queues.unclaimed.bytes = -1 },
        Self("unclaimed time", "unclaimed messages", "use nil") { $0.queues.unclaimed.timeLimit = .seconds(-1) },
        Self("latest per topic by priority", ".fifo or .lifo") {
            $0.queues.subscription = .init(order: .highestFirst { _ in 0 }, overflow: .latestPerTopic)
        },
        Self("stuck warning", "stuck acknowledgement") { $0.acknowledgement.stuckWarning = .zero },
        Self("waiting requests", "waiting requests") { $0.limits.waitingRequests = 0 },
        Self("concurrent responses", "concurrent responses") { $0.limits.concurrentResponses = 0 },
        Self("buffered events", "buffered events") { $0.limits.bufferedEvents = 0 },
        Self("will delay on 3.1.1", code: .notSupportedByProtocolVersion, "will delay", "3.1.1", "set it to zero") {
            $0.connection.version = .exactly(.v3_1_1)
            $0.will = .init(topic: "a", text: "", delay: .seconds(1))
        },
        Self("password alone on 3.1.1", code: .notSupportedByProtocolVersion, "user name", "3.1.1") {
            $0.connection.version = .exactly(.v3_1_1)
            $0.credentials = .password(username: nil, password: "p")
        },
        Self("assigned identifier on 3.1", code: .notSupportedByProtocolVersion, "3.1", "give or generate") {
            $0.connection.version = .exactly(.v3_1)
            $0.clientIdentifier = .assignedByServer
        },
        Self("no identifier for a session that continues on 3.1.1", "clean start") {
            $0.connection.version = .exactly(.v3_1_1)
            $0.clientIdentifier = .assignedByServer
            $0.session.cleanStart = false
        },
        Self("identifier of 24 bytes on 3.1", code: .notSupportedByProtocolVersion, "24 bytes", "shorten it to 23") {
            $0.connection.version = .exactly(.v3_1)
            $0.clientIdentifier = .given(String(repeating: "a", count: 24))
        },
        Self("generated identifier of 24 bytes on 3.1", code: .notSupportedByProtocolVersion, "24 bytes") {
            $0.connection.version = .exactly(.v3_1)
            $0.clientIdentifier = .generated(prefix: "curlew-x")
        },
    ]
}

@Suite("Configuration")
struct ConfigurationTests {
    @Test("The defaults are valid in every version", arguments: [nil] + ProtocolVersion.allCases)
    func defaults(version: ProtocolVersion?) throws {
        var configuration = MQTTConfiguration()
        if let version { configuration.connection.version = .exactly(version) }
        try configuration.validate()
        #expect(configuration.servers == [.mqtt("localhost", port: 1883)])
    }

    @Test("An invalid value is refused in a sentence that says what to do", arguments: Impossible.values)
    func impossible(_ value: Impossible) {
        var configuration = MQTTConfiguration()
        value.change(&configuration)
        expectError(value.code, mentioning: value.words) { () throws(MQTTError) in try configuration.validate() }
    }

    @Test("Values at the standard's limits are valid [MQTT-1.5.4-2]")
    func extremes() throws {
        var configuration = MQTTConfiguration(servers: [.mqtt("a", port: 1), .mqtts("::1", port: 65_535)])
        configuration.connection.keepAlive = .seconds(65_535)
        configuration.session.expiry = .after(.seconds(4_294_967_294))
        configuration.session.receiveMaximum = 65_535
        configuration.session.maximumPacketSize = 268_435_460
        configuration.session.topicAliasMaximum = 0
        configuration.clientIdentifier = .given(String(repeating: "a", count: 65_535))
        configuration.credentials = .password(username: nil, password: "only a password")
        configuration.will = .init(topic: "a", text: "", delay: .seconds(4_294_967_295))
        try configuration.validate()
    }

    @Test("The fallback to 3.1.1 is validated separately")
    func fallback() throws {
        var configuration = MQTTConfiguration()
        configuration.will = .init(topic: "a", text: "gone", delay: .seconds(5))
        try configuration.validate()
        expectError(.notSupportedByProtocolVersion, mentioning: ["will delay"]) { () throws(MQTTError) in
            try configuration.validate(for: .v3_1_1)
        }
    }

    @Test("The session expiry is encoded in seconds, with the largest value for never")
    func expiry() {
        #expect(MQTTConfiguration.Expiry.never.seconds == .max)
        #expect(MQTTConfiguration.Expiry.withConnection.seconds == 0)
        #expect(MQTTConfiguration.Expiry.after(.seconds(90)).seconds == 90)
        #expect(MQTTConfiguration.Expiry.after(.seconds(4_294_967_295)).seconds == nil)
        #expect(MQTTConfiguration().session.expiry.seconds == 3600)
    }

    @Test("A generated identifier is accepted by every server [MQTT-3.1.3-5]")
    func generatedIdentifier() {
        var random = SplitMix64(seed: 1)
        let first = MQTTConfiguration.ClientIdentifier.generated().firstIdentifier(using: &random)
        let second = MQTTConfiguration.ClientIdentifier.generated().firstIdentifier(using: &random)
        #expect(first != second)
        #expect(first.utf8.count <= 23)
        #expect(first.hasPrefix("curlew"))
        #expect(first.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        #expect(MQTTConfiguration.ClientIdentifier.given("me").firstIdentifier(using: &random) == "me")
        #expect(MQTTConfiguration.ClientIdentifier.assignedByServer.firstIdentifier(using: &random) == "")
    }

    @Test("A server's description is its URL")
    func serverDescription() {
        #expect(MQTTConfiguration.Server.mqtts("broker").description == "mqtts://broker:8883")
        #expect(MQTTConfiguration.Server.mqtt("::1").description == "mqtt://[::1]:1883")
        #expect(MQTTConfiguration.Server(host: "a", scheme: .mqtts).port == 8883)
    }
}

@Suite("Errors")
struct MQTTErrorTests {
    @Test("An error's description is its message, its reason code and the outcome of the delivery")
    func description() {
        let refused = MQTTError(.publishRefused, "The server refused the message.", reasonCode: .notAuthorized)
        #expect(refused.description == "The server refused the message. Reason code: \(ReasonCode.notAuthorized).")
        #expect(refused.description.contains("0x87"))
        let lost = MQTTError(.connectionClosed, "The connection broke.")
        #expect(lost.description == "The connection broke.")
        #expect(lost.with(delivery: .unknown).description.hasSuffix("Whether the message was delivered is unknown."))
        #expect(lost.with(delivery: .notSent).description.hasSuffix("The message was not sent."))
        #expect("\(MQTTError.Code.queueFull)" == "queueFull")
    }
}

/// A random number generator with the same numbers in each run.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
