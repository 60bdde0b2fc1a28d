#if Tools
import Curlew
import CurlewCore
import NIOCore
import Synchronization

/// A pair of connections: one sends requests, the other replies.
struct BenchRequester: Sendable {
    let client: MQTTClient
    let responder: MQTTClient
    let progress: Progress
    let topic: String
    let qos: QoS
    let size: Int
    /// The maximum number of requests without a reply.
    let window: Int
    /// The number of requests to send.
    let count: Int
    let index: Int
    /// The number of pairs.
    let requesters: Int
    /// The rate of all pairs together; `nil` for as fast as possible.
    let rate: Double?

    private static let timeout = Duration.seconds(10)

    // MARK: Answering

    func listen() async throws -> MQTTSubscription {
        try await self.responder.subscribe(to: self.topic, options: SubscriptionOptions(qos: self.qos))
    }

    /// Returns each request as its reply, until the task is cancelled.
    func respond(to subscription: MQTTSubscription) async throws {
        for try await request in subscription {
            guard let topic = request.properties.responseTopic else { continue }
            var properties = Properties()
            properties.correlationData = request.properties.correlationData
            try await self.responder.publish(request.payload, to: topic, qos: self.qos, properties: properties)
        }
    }

    // MARK: Asking

    /// Sends one request that does not count.
    func ask() async throws {
        _ = try await self.client.request(
            BenchPayload.buffer(size: self.size), to: self.topic, qos: self.qos, timeout: Self.timeout)
    }

    /// The order of replies, shared by the tasks of a pair.
    private final class Order: Sendable {
        /// The highest sequence number that was answered, plus 1.
        let next = Atomic<Int>(0)
    }

    /// Runs one task per concurrent request. Each sends one request after the other.
    func run() async -> Measurement {
        let pace = self.rate.map { Pace(perSecond: $0, share: self.index, of: self.requesters) }
        let order = Order()
        return await withTaskGroup(of: Measurement.self) { group in
            for asker in 0..<min(self.window, self.count) {
                group.addTask(executorPreference: self.client.executor) { await self.run(asker, pace, order) }
            }
            return await group.reduce(into: Measurement()) { $0.add($1) }
        }
    }

    private func run(_ asker: Int, _ pace: Pace?, _ order: Order) async -> Measurement {
        var measurement = Measurement()
        var payload = BenchPayload.buffer(size: self.size)
        for sequence in stride(from: asker, to: self.count, by: self.window) {
            if let pace { guard (try? await pace.wait(for: sequence)) != nil else { break } }
            guard !self.progress.isOver else { break }
            BenchPayload(sender: UInt32(self.index), sequence: UInt64(sequence)).write(to: &payload)
            let start = pace?.instant(of: sequence) ?? .now
            do {
                _ = try await self.client.request(payload, to: self.topic, qos: self.qos, timeout: Self.timeout)
                self.progress.latencies.record(.now - start)
                measurement.count += 1
                measurement.bytes += self.size
                if order.next.max(sequence + 1, ordering: .relaxed).newValue != sequence + 1 {
                    measurement.reordered += 1
                }
                _ = self.progress.countOne()
            } catch {
                let error = MQTTError(of: error)
                measurement.lose(error)
                guard error.code != .cancelled, self.client.state == .connected else { break }
            }
        }
        return measurement
    }
}
#endif
