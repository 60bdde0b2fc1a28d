import CurlewTransport
import NIOCore
import NIOEmbedded

@testable import CurlewBroker

/// A broker on an event loop that runs only when told to, so that each input always has the same result.
final class FuzzedBroker {
    let engine: BrokerEngine
    private let eventLoop = EmbeddedEventLoop()
    private let workers = WorkerList()
    private let worker: Worker
    private let rules: ClientRules
    private var links: [FuzzLink] = []

    init(_ configuration: MQTTBrokerConfiguration) {
        GlobalTasks.run(on: EventLoopExecutor(self.eventLoop))
        self.engine = BrokerEngine(configuration, eventLoop: self.eventLoop, workers: self.workers)
        self.worker = Worker(onLoop: self.eventLoop)
        self.rules = ClientRules(.tcp(), of: configuration)
        self.workers.set([self.worker])
    }

    /// Restores a store's content.
    func restore(_ snapshot: MQTTBrokerSnapshot) {
        var isDone = false
        self.engine.restore(snapshot, rules: [self.rules], on: self.worker) { isDone = true }
        while !isDone { self.run() }
    }

    /// Opens a connection.
    func connect(_ witness: any FuzzLinkWitness) -> FuzzLink {
        let link = FuzzLink(self.eventLoop)
        link.witness = witness
        self.links.append(link)
        link.open(
            for: BrokerConnection(link, rules: self.rules, certificate: nil, engine: self.engine, worker: self.worker))
        return link
    }

    /// Runs everything that is due now.
    func run() {
        for _ in 0..<4 { self.eventLoop.advanceTime(by: .milliseconds(1)) }
    }

    /// Ends the broker: all connections are lost, and all deadlines are cancelled.
    func end() {
        for link in self.links { link.lose() }
        self.run()
        if let journal = self.engine.journal { Task { await journal.finish() } }
        self.run()
        self.engine.deadlines.cancelAll()
        self.run()
        // Breaks reference cycles with the event loop's state.
        self.worker.onLoop.routes = RouteCache()
        self.worker.onLoop.waitingForCommit = []
        self.workers.set([])
    }
}
