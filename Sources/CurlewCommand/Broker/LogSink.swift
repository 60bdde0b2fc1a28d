#if Tools
    import Synchronization

    /// Where lines of the log go.
    final class LogSink: Sendable {
        private let path: String?
        private let standard: [(descriptor: Descriptor, hasColour: Bool)]
        /// Guards the file, which is opened anew, and keeps lines whole.
        private let file: Mutex<Descriptor?>

        /// - Parameter hasColour: Whether somebody wants colours on a terminal.
        /// - Throws: What keeps the file from being opened.
        init(_ destinations: Set<LogSettings.Destination>, hasColour: Bool) throws {
            var standard: [(descriptor: Descriptor, hasColour: Bool)] = []
            var path: String?
            for destination in destinations {
                switch destination {
                case .file(let name): path = name
                case .standardError:
                    standard.append((.standardError, hasColour && Descriptor.standardError.isTerminal))
                case .standardOutput:
                    standard.append((.standardOutput, hasColour && Descriptor.standardOutput.isTerminal))
                }
            }
            self.standard = standard
            self.path = path
            self.file = Mutex(try path.map(Self.open))
        }

        deinit { self.file.withLock { $0?.closeFile() } }

        /// Opens the file anew: whoever turns logs over has moved it away.
        ///
        /// - Throws: What keeps it from being opened; the old one is written on.
        func reopen() throws {
            guard let path else { return }
            let new = try Self.open(path)
            self.file.withLock { file in
                file?.closeFile()
                file = new
            }
        }

        func write(_ line: LogLine) {
            self.file.withLock { file in
                // Where a log cannot be written there is nobody to tell.
                if let file { try? file.writeAll(line.bytes(hasColour: false)) }
                for (descriptor, hasColour) in self.standard {
                    try? descriptor.writeAll(line.bytes(hasColour: hasColour))
                }
            }
        }

        private static func open(_ path: String) throws -> Descriptor {
            do throws(SystemError) { return try Descriptor.openToAppend(path) } catch {
                throw Failure("The log file '\(path)' cannot be written: \(error).")
            }
        }
    }
#endif
