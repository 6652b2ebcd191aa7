// SPDX-License-Identifier: Apache-2.0

/// How long inferences take, measured so that other work on the machine weighs on all alike.
public enum EngineTiming {
    /// The median milliseconds of one inference of each model, run in turns.
    ///
    /// - Parameters:
    ///   - rounds: inferences of each, after one that warms up.
    public static func inTurns(_ models: [CompiledModel], rounds: Int = 15) throws(InferenceError) -> [Double] {
        var requests: [InferRequest] = []
        for model in models { requests.append(try model.makeRequest()) }
        for request in requests {
            for tensor in request.inputs where tensor.info.element == .f32 { tensor.floats.update(repeating: 0) }
            try request.run()
        }
        var times = [[Duration]](repeating: [], count: requests.count)
        for _ in 0..<max(1, rounds) {
            for (index, request) in requests.enumerated() {
                let start = ContinuousClock.now
                try request.run()
                times[index].append(ContinuousClock.now - start)
            }
        }
        return times.map { list in
            let median = list.sorted()[list.count / 2]
            return Double(median.components.attoseconds) / 1e15 + Double(median.components.seconds) * 1e3
        }
    }
}
