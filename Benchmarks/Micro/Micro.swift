import Curlew
import CurlewBroker
import CurlewCore
import CurlewTransport
import MallocCount
import NIOCore
import Synchronization

/// Micro-benchmarks of the client's data path, and of the cost of a broker in a test. Run with `scripts/benchmark`;
/// compare figures only with others from the same machine.
@main
enum Micro {
    static func main() async throws {
        print("payload 64 bytes, 64 topics, medians of 5 rounds, per message\n")
        // `scripts/benchmark humans` measures only these.
        try await Humans.run()
        if CommandLine.arguments.dropFirst().first == "humans" { return }
        try await codec()
        try await matching()
        try await client()
        try await receiving()
        try await broker()
        try await memory()
    }

    static let payload = ByteBuffer(repeating: 7, count: 64)
    static let topics = (0..<64).map { "benchmark/device/\($0)/temperature" }

    // MARK: Values

    static func codec() async throws {
        let names = try topics.map { try TopicName($0) }
        var out = ByteBuffer()
        try await measure("encode PUBLISH, QoS 1", count: 100_000) {
            out.clear()
            for index in 0..<100_000 {
                let packet = Publish(
                    topic: names[index & 63], payload: payload, qos: .atLeastOnce,
                    packetID: PacketID(UInt16(index & 1023 + 1)))
                try packet.encode(into: &out, version: .v5_0)
            }
        }
        let bytes = out
        var decoder = PacketDecoder(from: .server, version: .v5_0, maximumPacketSize: 1 << 20)
        try await measure("decode PUBLISH, QoS 1", count: 100_000) {
            var input = bytes
            while let packet = try decoder.decode(from: &input) { blackHole(packet) }
        }
    }

    static func matching() async throws {
        var tree = TopicTree<[UInt32]>()
        for index in 0..<10_000 {
            tree.withValue(for: try TopicFilter("site/\(index)/+/state"), default: []) { $0.append(UInt32(index)) }
        }
        let names = try (0..<1024).map { try TopicName("site/\($0 * 7)/pump/state") }
        var found = 0
        await measure("match a topic against 10,000 filters", count: 102_400) {
            for _ in 0..<100 {
                for name in names { tree.forEachMatch(of: name) { _, values in found += values.count } }
            }
        }
        blackHole(found)
    }

    // MARK: The client with a null server over an in-memory link

    static func makeClient(
        onSubscribe: @escaping @Sendable (any Link) -> Void = { _ in },
        _ change: (inout MQTTConfiguration) -> Void = { _ in }
    ) async throws -> MQTTClient {
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "null", port: 1883)
        network.listen(at: endpoint, on: EventLoops.shared.next()) { link in NullServer(link, onSubscribe: onSubscribe)
        }
        var configuration = MQTTConfiguration(server: .mqtt("null"))
        configuration.connection.version = .exactly(.v5_0)
        configuration.connectorOverride = network
        change(&configuration)
        let client = try MQTTClient(configuration)
        try await client.connect()
        return client
    }

    static func client() async throws {
        let client = try await makeClient()
        try await measure("publish, QoS 0", count: 500_000) {
            for index in 0..<500_000 { try await client.publish(payload, to: topics[index & 63]) }
        }
        for qos in [QoS.atLeastOnce, .exactlyOnce] {
            try await measure("publish awaited, QoS \(qos.rawValue), one task", count: 20_000) {
                for index in 0..<20_000 { try await client.publish(payload, to: topics[index & 63], qos: qos) }
            }
            for window in [10, 1_000, 10_000] {
                try await measure("publish awaited, QoS \(qos.rawValue), \(window) tasks at once", count: 200_000) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<window {
                            group.addTask {
                                for index in 0..<(200_000 / window) {
                                    try await client.publish(payload, to: topics[index & 63], qos: qos)
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        }
        try await measure("enqueue, QoS 1, window of 1,000", count: 200_000) {
            var window: [PendingPublish] = []
            for index in 0..<200_000 {
                window.append(try client.enqueue(payload, to: topics[index & 63], qos: .atLeastOnce))
                if window.count == 1_000 {
                    for delivery in window { try await delivery.outcome() }
                    window.removeAll(keepingCapacity: true)
                }
            }
            for delivery in window { try await delivery.outcome() }
        }
        await client.disconnect()
    }

    static func receiving() async throws {
        for qos in QoS.allCases {
            let links = Mutex<[any Link]>([])
            let client = try await makeClient(onSubscribe: { link in links.withLock { $0.append(link) } })
            let subscription = try await client.subscribe(
                to: "benchmark/#", queue: .init(count: 1_000_000, bytes: 1 << 30))
            guard let link = links.withLock({ $0.first }) else { return }
            var chunk = ByteBuffer()
            let batch = qos == .atMostOnce ? 1_000 : 500
            for index in 0..<batch {
                let packet = Publish(
                    topic: try TopicName(topics[index & 63]), payload: payload, qos: qos,
                    packetID: qos == .atMostOnce ? nil : PacketID(UInt16(index + 1)))
                try packet.encode(into: &chunk, version: .v5_0)
                if qos == .exactlyOnce, let id = packet.packetID {
                    try Acknowledgement(id).encode(as: .pubrel, into: &chunk, version: .v5_0)
                }
            }
            if qos == .exactlyOnce { continue }  // PUBREL must follow PUBREC: measured end to end
            let bytes = chunk
            var iterator = subscription.makeAsyncIterator()
            try await measure("receive, QoS \(qos.rawValue)", count: 200_000) {
                for _ in 0..<(200_000 / batch) {
                    link.eventLoop.execute { link.write(bytes) }
                    for _ in 0..<batch { if let message = try await iterator.next() { blackHole(message) } }
                }
            }
            await client.disconnect(drain: .zero)
        }
    }

    /// The cost of a test's own broker.
    static func broker() async throws {
        try await measure("start a broker on a free port, connect, stop both", count: 20) {
            for _ in 0..<20 {
                let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
                try await broker.start()
                let client = try MQTTClient(
                    MQTTConfiguration(server: .mqtt("127.0.0.1", port: await broker.listeners[0].port)))
                try await client.connect()
                await client.disconnect()
                await broker.stop()
            }
        }
    }

    static func memory() async throws {
        let count = 1_000
        var clients: [MQTTClient] = []
        clients.reserveCapacity(count)
        let network = InMemoryNetwork()
        let endpoint = Endpoint(host: "null", port: 1883)
        network.listen(at: endpoint, on: EventLoops.shared.next()) { link in NullServer(link, onSubscribe: { _ in }) }
        let before = curlew_malloc_bytes()
        for _ in 0..<count {
            var configuration = MQTTConfiguration(server: .mqtt("null"))
            configuration.connectorOverride = network
            let client = try MQTTClient(configuration)
            try await client.connect()
            clients.append(client)
        }
        let each = Double(curlew_malloc_bytes() - before) / Double(count) / 1024
        print("\nidle client with its null server: \(number(each, 1)) KiB")
        for client in clients { await client.disconnect(drain: .zero) }
    }
}
