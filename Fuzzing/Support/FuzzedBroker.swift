import CurlewTransport
import NIOCore
import NIOEmbedded

@testable import CurlewBroker

/// A broker on an event loop that runs when it is told to, so that each input always does the same.
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

    /// Takes up what a store has kept.
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

    /// Does all there is to do now.
    func run() {
        for _ in 0..<4 { self.eventLoop.advanceTime(by: .milliseconds(1)) }
    }

    /// Ends it: all connections are lost, and what waits for a time is given up.
    func end() {
        for link in self.links { link.lose() }
        self.run()
        if let journal = self.engine.journal { Task { await journal.finish() } }
        self.run()
        self.engine.deadlines.cancelAll()
        self.run()
        // What the loop remembers refers to it in turn, and would live on.
        self.worker.onLoop.routes = RouteCache()
        self.worker.onLoop.waitingForCommit = []
        self.workers.set([])
    }
}
