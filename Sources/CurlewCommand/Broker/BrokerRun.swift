#if Tools
    import CurlewBroker
    import Logging
    import ServiceLifecycle
    import UnixSignals

    /// What the command needs of a broker.
    protocol RunnableBroker: Sendable {
        /// Listens.
        func start() async throws(MQTTBrokerError)
        /// Reads anew what files say about clients and keys.
        func reload() async throws
        /// Says goodbye to all clients, and listens no more.
        func stop() async
        /// The ports that it listens on, in the order of the configuration.
        var ports: [Int] { get async }
    }

    /// One run of a broker: from listening, over signals that have files read anew, to the signal that ends it.
    struct BrokerRun: Service {
        private let broker: any RunnableBroker
        private let addresses: [ListenerAddress]
        private let warnings: [String]
        private let sink: LogSink
        private let logger: Logger
        private let announce: @Sendable (String) -> Void

        /// - Parameters:
        ///   - announce: Is told where the broker listens, a line for each listener.
        ///   - makeBroker: Makes a broker that is not running yet.
        init(
            _ plan: BrokerPlan, hasColour: Bool, announce: @escaping @Sendable (String) -> Void,
            makeBroker: (MQTTBrokerConfiguration) -> any RunnableBroker
        ) throws {
            let sink = try LogSink(plan.log.destinations, hasColour: hasColour)
            let write: @Sendable (LogLine) -> Void = { sink.write($0) }
            self.logger = Logger(label: "curlew.broker") { _ in LineLogHandler(kinds: plan.log.kinds, write: write) }
            var configuration = plan.configuration
            configuration.logger = self.logger
            if let subscriptions = SubscriptionLog(kinds: plan.log.kinds, write: write) {
                configuration.observers.append(subscriptions)
            }
            self.broker = makeBroker(configuration)
            self.addresses = plan.addresses
            self.warnings = plan.warnings
            self.sink = sink
            self.announce = announce
        }

        /// Runs until a signal ends it.
        func untilSignal() async throws {
            var group = ServiceGroupConfiguration(
                services: [.init(service: self, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigint, .sigterm],
                logger: Logger(label: "curlew.services") { _ in SwiftLogNoOpLogHandler() })
            // A client that takes nothing must not keep the process from ending.
            group.maximumGracefulShutdownDuration = .seconds(20)
            do {
                try await ServiceGroup(configuration: group).run()
            } catch let error as MQTTBrokerError {
                throw Failure(error.message)
            } catch let error as TransportError {
                throw Failure(error.message)
            }
        }

        func run() async throws {
            // Before anybody is told that the broker is there: until it is trapped, this signal ends the process.
            let hangUps = await UnixSignalsSequence(trapping: .sighup)
            try await self.broker.start()
            for (address, port) in zip(self.addresses, await self.broker.ports) {
                self.announce("listening on \(address.url(bound: port))")
            }
            for warning in self.warnings { self.logger.warning("\(warning)") }
            await withTaskGroup { group in
                group.addTask {
                    for await _ in hangUps { await self.reload() }
                }
                // Being cancelled is an end as well.
                try? await gracefulShutdown()
                await self.broker.stop()
                group.cancelAll()
            }
        }

        private func reload() async {
            do { try self.sink.reopen() } catch { self.logger.error("The log file was not opened anew", error: error) }
            do {
                try await self.broker.reload()
                self.logger.notice("Files were read anew")
            } catch {
                self.logger.error("Files were not read anew, and what was read before stays in force", error: error)
            }
        }
    }
#endif
