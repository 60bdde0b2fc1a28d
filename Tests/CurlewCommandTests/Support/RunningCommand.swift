#if Tools
    import Curlew
    import Dispatch
    import Foundation
    import Synchronization

    @testable import CurlewCommand

    /// A process under test: `curlew` as it was built, or another program.
    final class RunningCommand: Sendable {
        /// What it came to.
        struct Outcome: Equatable {
            var exitCode: Int32
            var output: String
            var errors: String
        }

        private let process: ChildProcess
        private let output: GatheredText
        private let errors: GatheredText
        private let exit = OneShot<Int32>()
        private let hasEndedInput = Atomic(false)

        /// Starts `curlew` with these arguments. Variables of the environment that it would read are those given alone.
        ///
        /// - Parameter hasReader: Whether anybody reads its standard output; otherwise writing there fails.
        static func curlew(
            _ arguments: [String], environment: [String: String] = [:], hasReader: Bool = true
        ) throws -> RunningCommand {
            try RunningCommand(Self.products.appending(path: "curlew"), arguments, environment, hasReader: hasReader)
        }

        static func curlew(_ arguments: String..., environment: [String: String] = [:]) throws -> RunningCommand {
            try Self.curlew(arguments, environment: environment)
        }

        init(
            _ program: URL, _ arguments: [String], _ environment: [String: String] = [:], hasReader: Bool = true
        ) throws {
            let inherited = ProcessInfo.processInfo.environment.filter {
                !$0.key.hasPrefix("MQTT_") && !$0.key.hasPrefix("CURLEW_")
            }
            // By Foundation's Process a program would start with signals blocked, and never hear of its alarm.
            let process = try ChildProcess.start(
                [program.path] + arguments,
                environment: inherited.merging(environment) { $1 }.map { "\($0)=\($1)" }, capturesErrors: true,
                isGroup: false)
            self.process = process
            self.output = GatheredText(hasReader ? process.output : nil)
            if !hasReader { process.output.closeFile() }
            self.errors = GatheredText(process.errors)
            DispatchQueue(label: "curlew.test.process").async { [exit] in
                switch process.waitForEnd() {
                case .code(let code): exit.set(code)
                case .signal(let signal): exit.set(-signal)
                }
            }
        }

        deinit {
            self.process.send(SIGTERM)
            self.closeInput()
        }

        // MARK: What it is given

        func write(_ text: String) throws { try self.process.input.writeAll(Array(text.utf8)) }
        func endInput() throws { self.closeInput() }
        func send(_ signal: Int32) { self.process.send(signal) }

        private func closeInput() {
            guard self.hasEndedInput.exchange(true, ordering: .relaxed) == false else { return }
            self.process.input.closeFile()
        }

        // MARK: What comes of it

        /// Waits until it has written `text` to standard error; `false` when it ended without.
        func hasSaid(_ text: String) async -> Bool { await self.errors.contains(text) }

        /// Waits until it has written `text` to standard output; `false` when it ended without.
        func hasWritten(_ text: String) async -> Bool { await self.output.contains(text) }

        /// Waits until it has ended, or the task is cancelled.
        func ended() async { _ = await self.exit.wait() }

        /// Waits until it has ended.
        func outcome() async -> Outcome {
            Outcome(
                exitCode: await self.exit.wait() ?? .min, output: await self.output.whole(),
                errors: await self.errors.whole())
        }

        /// Where the package's programs are built: beside the tests.
        static let products: URL = {
            let bundle = CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
            var folder = URL(filePath: bundle)
            while folder.path.contains(".xctest") { folder.deleteLastPathComponent() }
            return folder
        }()
    }

    /// The text of a pipe, as far as it has come.
    private final class GatheredText: Sendable {
        private struct State {
            var bytes: [UInt8] = []
            var isAtEnd = false
            /// Who is told that more has come.
            var waiting: [OneShot<Void>] = []
        }

        private let state = Mutex(State())

        init(_ descriptor: Descriptor?) {
            guard let descriptor else {
                self.state.withLock { $0.isAtEnd = true }
                return
            }
            DispatchQueue(label: "curlew.test.pipe").async {
                while true {
                    let data = (try? descriptor.readSome(65_536)) ?? []
                    let waiting = self.state.withLock { state in
                        state.bytes += data
                        state.isAtEnd = data.isEmpty
                        defer { state.waiting = [] }
                        return state.waiting
                    }
                    for one in waiting { one.set(()) }
                    if data.isEmpty { return descriptor.closeFile() }
                }
            }
        }

        func contains(_ text: String) async -> Bool {
            await self.first { $0.contains(text) ? true : nil } ?? false
        }

        func whole() async -> String {
            _ = await self.first { _ in Bool?.none }
            return self.state.withLock { String(decoding: $0.bytes, as: UTF8.self) }
        }

        /// What `find` finds in all that has come; `nil` when it finds nothing to the end.
        private func first<Found>(_ find: (String) -> Found?) async -> Found? {
            while true {
                let more = OneShot<Void>()
                let (text, isAtEnd) = self.state.withLock { state in
                    state.waiting.append(more)
                    return (String(decoding: state.bytes, as: UTF8.self), state.isAtEnd)
                }
                if let found = find(text) { return found }
                guard !isAtEnd, await more.wait() != nil else { return nil }
            }
        }
    }
#endif
