#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// `curlew bench rtt`
struct BenchRoundTrip: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rtt",
        abstract: "Send requests and measure the time until the replies.",
        discussion: """
            Each client is a pair of connections, a requester and a responder, which communicate through the broker. Needs \
            MQTT 5. A reply that does not arrive within 10 seconds counts as lost.
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var load: LoadOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic prefix of the responders, followed by their number. (default: curlew/bench/rtt)")
    var topics: [String] = []

    func run() async throws {
        let settings = try self.options.settings()
        if let version = settings.version, version < .v5_0 {
            throw CommandFailure(
                "This benchmark needs MQTT 5, but the version is set to \(version).")
        }
        let topics = settings.topics + self.topics
        guard topics.count < 2 else { throw CommandFailure("A benchmark takes one topic; give one -t.") }
        let topic = try Topics.one([topics.first ?? "curlew/bench/rtt"]).string
        let pairs = self.options.clientCount
        try await BenchRun.run(self.options, settings, connections: pairs * 2, beginsByItself: true) { run in
            try await run.roundTrips(
                (0..<pairs).map { index in
                    BenchRequester(
                        client: run.clients[index], responder: run.clients[pairs + index], progress: run.progress,
                        topic: "\(topic)/\(index)", qos: self.options.qos, size: self.load.byteCount,
                        window: self.load.window?.count ?? 1, count: run.share(of: index, in: pairs),
                        index: index, requesters: pairs, rate: self.load.rate?.perSecond)
                })
        }
    }
}

extension BenchRun {
    fileprivate func roundTrips(_ requesters: [BenchRequester]) async throws -> Measurement {
        var subscriptions: [MQTTSubscription] = []
        for requester in requesters { subscriptions.append(try await requester.listen()) }
        return try await withThrowingTaskGroup(of: Measurement?.self) { group in
            for (requester, subscription) in zip(requesters, subscriptions) {
                group.addTask(executorPreference: requester.responder.executor) {
                    try await requester.respond(to: subscription)
                    return nil
                }
            }
            // The first request of a client subscribes to its replies.
            for requester in requesters { try await requester.ask() }
            self.progress.begin()
            for requester in requesters {
                group.addTask(executorPreference: requester.client.executor) { await requester.run() }
            }
            var whole = Measurement()
            var left = requesters.count
            while left > 0, let result = try await group.next() {
                guard let part = result else { continue }
                whole.add(part)
                left -= 1
            }
            whole.end = .now
            group.cancelAll()
            return whole
        }
    }
}
#endif
