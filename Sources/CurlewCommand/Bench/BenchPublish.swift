#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// `curlew bench pub`
struct BenchPublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish as fast as possible, or at a fixed rate.",
        discussion: """
            At QoS 1 and 2, a message counts when the broker has acknowledged it, and its latency is the time until then. At \
            QoS 0, it counts when it has been sent.
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var load: LoadOptions

    @Option(
        name: [.customShort("t"), .customLong("topic")], parsing: .unconditionalSingleValue,
        help: "Topic to publish to; %d is replaced by the topic's number. (default: curlew/bench/%d)")
    var topics: [String] = []

    @Option(
        name: .customLong("topics"), parsing: .unconditional,
        help: ArgumentHelp("Number of topics, if -t contains %d. (default: 64)", valueName: "number"),
        transform: CountArgument.read)
    var topicCount: CountArgument?

    func run() async throws {
        let settings = try self.options.settings()
        let names = try BenchTopics.names(settings.topics + self.topics, count: self.topicCount?.count)
        let clients = self.options.clientCount
        let sender = UInt32.random(in: 1 ... .max - UInt32(clients))
        try await BenchRun.run(self.options, settings, connections: clients) { run in
            await run.onEachClient { client, index in
                var publisher = BenchPublisher(
                    client, run.progress, topics: names, qos: self.options.qos, size: self.load.byteCount,
                    window: self.load.window?.count ?? 1000, sender: sender + UInt32(index))
                publisher.count = run.share(of: index, in: clients)
                if let rate = self.load.rate?.perSecond {
                    await publisher.publish(Pace(perSecond: rate, share: index, of: clients))
                } else {
                    await publisher.publish()
                }
                return publisher.measurement
            }
        }
    }
}
#endif
