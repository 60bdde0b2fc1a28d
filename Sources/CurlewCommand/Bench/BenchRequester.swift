#if Tools
import Curlew
import CurlewCore
import NIOCore
import Synchronization

/// One pair of connections: the one asks, the other answers.
struct BenchRequester: Sendable {
    let client: MQTTClient
    let responder: MQTTClient
    let progress: Progress
    let topic: String
    let qos: QoS
    let size: Int
    /// How many requests wait for their replies at once.
    let window: Int
    /// How many to send.
    let count: Int
    let index: Int
    /// How many pairs there are.
    let requesters: Int
    /// Of all pairs together; `nil` for as many as possible.
    let rate: Double?

    private static let timeout = Duration.seconds(10)

    // MARK: Answering

    func listen() async throws -> MQTTSubscription {
        try await self.responder.subscribe(to: self.topic, options: SubscriptionOptions(qos: self.qos))
    }

    /// Sends back what comes, until the task is cancelled.
    func respond(to subscription: MQTTSubscription) async throws {
        for try await request in subscription {
            guard let topic = request.properties.responseTopic else { continue }
            var properties = Properties()
            properties.correlationData = request.properties.correlationData
            try await self.responder.publish(request.payload, to: topic, qos: self.qos, properties: properties)
        }
    }

    // MARK: Asking

    /// One request that does not count.
    func ask() async throws {
        _ = try await self.client.request(
            BenchPayload.buffer(size: self.size), to: self.topic, qos: self.qos, timeout: Self.timeout)
    }

    /// What the askers of a pair share.
    private final class Order: Sendable {
        /// The highest sequence that was answered, and 1.
        let next = Atomic<Int>(0)
    }

    /// As many askers as there are to be requests at once, each of which sends one after the other.
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
