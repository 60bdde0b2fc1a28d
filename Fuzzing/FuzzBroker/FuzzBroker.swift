import CurlewTransport
import LibFuzzer
import NIOCore
import Synchronization

@testable import CurlewBroker
@testable import FuzzSupport

/// Sends any bytes, in any portions, on three connections to a broker with small limits. Nothing may trap or hang, the
/// broker must send valid MQTT and keep to the clients' windows, and its state must stay within the limits.
@main
enum FuzzBroker {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The input is a list of steps: a byte that selects connection and action, a byte count, and that many bytes.
    static func run(_ input: UnsafeRawBufferPointer) {
        let broker = BrokerUnderTest()
        var rest = input[...]
        while let action = rest.popFirst() {
            let count = Int(rest.popFirst() ?? 0)
            let bytes = rest.prefix(count)
            rest = rest.dropFirst(count)
            broker.act(action, ByteBuffer(bytes: bytes))
        }
        broker.end()
    }
}

/// The broker, its connections, and its limits.
private final class BrokerUnderTest {
    private let broker: FuzzedBroker
    private var peers: [Peer?] = [nil, nil, nil]

    init() {
        var configuration = MQTTBrokerConfiguration()
        configuration.clock = MonotonicClock(FuzzClock())
        configuration.limits.maximumPacketSize = 4096
        configuration.limits.maximumQueuedMessages = 20
        configuration.limits.maximumQueuedBytes = 16 << 10
        configuration.limits.maximumMemory = 256 << 10
        configuration.limits.maximumInFlightMessages = 5
        configuration.limits.receiveMaximum = 4
        configuration.limits.maximumSubscriptionsPerClient = 10
        configuration.limits.maximumRetainedMessages = 10
        configuration.limits.maximumSessions = 4
        configuration.behavior.responseInformationPrefix = "replies/"
        self.broker = FuzzedBroker(configuration)
    }

    func act(_ action: UInt8, _ bytes: ByteBuffer) {
        let index = Int(action & 3) % self.peers.count
        switch action >> 2 & 7 {
        case 0: self.peers[index]?.link.lose()
        case 1: self.peers[index]?.link.setWritable(false)
        case 2: self.peers[index]?.link.setWritable(true)
        default: self.peer(index).link.receive(bytes)
        }
        self.run()
    }

    private func peer(_ index: Int) -> Peer {
        if let peer = self.peers[index], !peer.link.isClosed { return peer }
        let peer = Peer(self.broker)
        self.peers[index] = peer
        return peer
    }

    private func run() {
        self.broker.run()
        for session in self.broker.engine.sessions.all {
            session.state.withLock { state in
                assert(state.session.queuedMessages <= 20)
                assert(state.session.queuedBytes <= 16 << 10)
                assert(state.session.messagesInFlight <= 65_535)
                assert(state.subscriptions.count <= 10)
            }
        }
        assert(self.broker.engine.retained.withLock { $0.count } <= 10)
    }

    func end() {
        self.broker.end()
        assert(self.broker.engine.connectedClients.value == 0, "a client is counted that is not there")
    }
}

/// libFuzzer's own main, which is linked but not used, refers to this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzBroker.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
