import CurlewCore
import LibFuzzer
import NIOCore

/// Feeds any bytes to a connected client session with publishes in flight and subscribers that release their messages
/// late. Nothing may trap, each request must complete at most once, all must have completed when the session has ended,
/// and the state that the server can create must stay within its limits.
@main
enum FuzzSession {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The first byte of the input selects the version, the second the settings of the session.
    static func run(_ input: UnsafeRawBufferPointer) {
        guard input.count > 2 else { return }
        var fuzz = SessionUnderTest(version: ProtocolVersion.allCases[Int(input[0]) % 3], setting: input[1])
        fuzz.receive(ByteBuffer(bytes: input.dropFirst(2)))
        fuzz.end()
    }
}

private struct SessionUnderTest {
    private var session: ClientSession
    private let connect: Connect
    private var out = ByteBuffer()
    private var now = Timestamp.start
    private var accepted: Set<RequestID> = []
    private var next: UInt64 = 1
    private var held: [DeliveryToken] = []
    private let setting: UInt8

    init(version: ProtocolVersion, setting: UInt8) {
        var settings = ClientSession.Settings()
        settings.receiveMaximum = 10
        settings.topicAliasMaximum = 4
        settings.outgoingTopicAliasMaximum = 8
        settings.maximumInFlight = setting & 1 == 0 ? 2 : 100
        self.session = ClientSession(settings)
        self.setting = setting
        self.connect = Connect(version: version, cleanStart: false, clientIdentifier: "fuzz")
        self.reconnect(sessionPresent: false)
        for filter in ["a/#", "a/+", "$share/g/b", "#"] { self.subscribe(filter) }
        for index in 0..<12 { self.publish(QoS.allCases[index % 3]) }
    }

    private mutating func makeRequest() -> RequestID {
        defer { self.next += 1 }
        return RequestID(self.next)
    }

    private mutating func publish(_ qos: QoS) {
        guard let topic = try? TopicName("a/b") else { return }
        let message = OutgoingMessage(topic: topic, payload: ByteBuffer(string: "hello"), qos: qos)
        let request = self.makeRequest()
        let submitted = try? self.session.publish(
            message, request: request, isAwaited: true, now: self.now, into: &self.out)
        if submitted == .accepted { self.accepted.insert(request) }
    }

    private mutating func subscribe(_ filter: String) {
        guard let filter = try? TopicFilter(filter) else { return }
        let request = self.makeRequest()
        let options = SubscriptionOptions()
        if (try? self.session.subscribe(
            filter, options, subscriber: SubscriberID(self.next), request: request, into: &self.out)) != nil
        {
            self.accepted.insert(request)
        }
    }

    private mutating func reconnect(sessionPresent: Bool) {
        self.session.connectionLost(self.setting & 8 == 0 ? .byServer : .other, now: self.now)
        let connack = ConnAck(sessionPresent: sessionPresent)
        precondition(
            self.session.connected(connack, to: self.connect, server: "", now: self.now, into: &self.out)
                != .protocolError)
        if let end = self.session.poisonDeadline, self.setting & 16 == 0 {
            self.now = end
            self.session.poisonDeadlineReached(now: end, into: &self.out)
        }
        self.settle()
    }

    mutating func receive(_ bytes: ByteBuffer) {
        var input = bytes
        var decoder = PacketDecoder(
            from: .server, version: self.connect.version, maximumPacketSize: 1 << 16, leavingOut: [.bytes, .properties])
        while true {
            guard let packet = try? decoder.decode(from: &input) else {
                guard let skipped = decoder.takeSkipped() else { break }
                if case .violation = self.session.receivedSkipped(skipped.publish, into: &self.out) { return }
                continue
            }
            self.out.clear()
            self.now = self.now + .milliseconds(100)
            switch self.session.received(packet, now: self.now, into: &self.out) {
            case .message(_, let receivers, let token?):
                self.held += Array(repeating: token, count: max(1, receivers.count))
            case .message(_, _, nil), .nothing, .pong, .deviation: break
            case .authenticate, .disconnected, .violation: return
            }
            self.settle()
            if self.setting & 2 == 0 || self.held.count > 6, !self.held.isEmpty {
                self.session.consumed(self.held.remove(at: Int(self.setting) % self.held.count), into: &self.out)
            }
            if case .pingresp = packet {
                // A PINGRESP in the input stands for a lost connection.
                self.reconnect(sessionPresent: self.setting & 4 == 0)
            }
        }
    }

    private mutating func settle() {
        for completion in self.session.takeCompletions() {
            precondition(self.accepted.remove(completion.request) != nil, "\(completion) was not waited for")
        }
        _ = self.session.takeLostSubscribers()
        precondition(self.session.unacknowledgedCount <= 65_535)
        precondition(self.session.inFlightCount <= 65_535)
    }

    mutating func end() {
        self.session.end()
        self.settle()
        precondition(self.accepted.isEmpty, "\(self.accepted) never completed")
    }
}

/// libFuzzer's own main, which is linked but not used, refers to this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzSession.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
