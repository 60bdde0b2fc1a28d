#if Tools
import ArgumentParser

/// `curlew bench`: the parent of the benchmarks.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a broker, a network or this client: messages per second, latencies, losses.",
        discussion: """
            Prints the result as text or, with --json, as one object. On a terminal, the current rate is shown during the run.

            Messages of at least 24 bytes contain a sender, a sequence number and the scheduled time of sending. With these, \
            'bench sub' counts lost and reordered messages, and measures the latency from publisher to subscriber if \
            'bench pub' runs with --rate. On two machines, this needs synchronized clocks.

            With --rate, latencies are measured from the scheduled time of a message, even if it was sent later. Without \
            --rate, messages are sent as fast as possible, and one in 16 is timed.

            Benchmarks do not reconnect: when a connection is lost, the run ends and prints the reason.
            """,
        subcommands: [BenchPublish.self, BenchSubscribe.self, BenchRoundTrip.self, BenchConnect.self],
        helpNames: .long
    )
}
#endif
