#if Tools
    import Curlew
    import Dispatch
    import Foundation

    /// A command that is run by the shell, fed, and read to its end.
    enum ShellCommand {
        /// Why there is no result.
        enum Problem: Error, Equatable, CustomStringConvertible {
            case notStarted(String)
            case endedWith(Int32)
            case endedBySignal(Int32)
            case tooMuchOutput
            case cancelled

            var description: String {
                switch self {
                case .notStarted(let reason): "it could not be started, \(reason)"
                case .endedWith(let code): "it ended with code \(code)"
                case .endedBySignal(let signal): "it was ended by signal \(signal)"
                case .tooMuchOutput: "it wrote more than a message can have"
                case .cancelled: "it was stopped"
                }
            }
        }

        /// Runs a command. Its standard error is that of this process.
        ///
        /// Cancelling the task ends the command.
        ///
        /// - Returns: What it wrote to standard output, if it ended with 0.
        static func run(
            _ command: String, input: [UInt8], environment: [String: String]
        ) async throws(Problem) -> [UInt8] {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", command]
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            let (inputPipe, outputPipe) = (Pipe(), Pipe())
            (process.standardInput, process.standardOutput) = (inputPipe, outputPipe)
            let ended = OneShot<Problem?>()
            process.terminationHandler = { process in
                let code = process.terminationStatus
                let bySignal = process.terminationReason == .uncaughtSignal
                ended.set(bySignal ? .endedBySignal(code) : code == 0 ? nil : .endedWith(code))
            }
            do { try process.run() } catch { throw .notStarted(error.localizedDescription) }
            let running = RunningProcess(process)
            let output = await withTaskCancellationHandler {
                // Both at once: a command that writes before it has read all would wait for ever.
                DispatchQueue.global().async {
                    // A command need not read what it is given.
                    try? Descriptor(number: inputPipe.fileHandleForWriting.fileDescriptor).writeAll(input)
                    try? inputPipe.fileHandleForWriting.close()
                }
                let output = OneShot<[UInt8]?>()
                DispatchQueue.global().async { output.set(Self.readAll(outputPipe.fileHandleForReading)) }
                // Not cut short: the end of the process is the end of its output.
                return await Task { await output.wait() ?? nil }.value
            } onCancel: {
                running.stop()
            }
            if output == nil { running.stop() }
            let problem = await Task { await ended.wait() ?? nil }.value
            if Task.isCancelled { throw .cancelled }
            guard let output else { throw .tooMuchOutput }
            if let problem { throw problem }
            return output
        }

        /// `nil` when it is more than a message can have.
        private static func readAll(_ handle: FileHandle) -> [UInt8]? {
            let descriptor = Descriptor(number: handle.fileDescriptor)
            var bytes: [UInt8] = []
            while let more = try? descriptor.readSome(65_536), !more.isEmpty {
                bytes += more
                if bytes.count > Input.maximumMessageSize { return nil }
            }
            return bytes
        }
    }

    /// A process that another thread may end.
    private struct RunningProcess: @unchecked Sendable {
        // `terminate` may be called from any thread.
        private let process: Process

        init(_ process: Process) { self.process = process }

        func stop() { if self.process.isRunning { self.process.terminate() } }
    }
#endif
