#if Tools
import ArgumentParser

/// `curlew bench`, which does nothing by itself.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a server, a network or this client: messages per second, latencies, losses.",
        discussion: """
            The result goes to standard output, as text or, with --json, as one object; on a terminal, the rate of each \
            second is shown meanwhile.

            Each message says its sender and a running number, if it has 24 bytes or more: a subscriber counts by that \
            what was lost and what came out of order. It also says when it was meant to be sent, so that pub with --rate, \
            and sub somewhere else, measure the whole way; between two machines that takes clocks that are set.

            With --rate, latencies count from when a message was meant to be sent, whatever kept it from being sent then. \
            Without, each is sent as soon as it can be, and one in 16 is timed.

            A connection that is lost is not made again: the run ends and says why, whatever the environment or a URL says \
            of reconnecting.
            """,
        subcommands: [BenchPublish.self, BenchSubscribe.self, BenchRoundTrip.self, BenchConnect.self],
        helpNames: .long
    )
}
#endif
