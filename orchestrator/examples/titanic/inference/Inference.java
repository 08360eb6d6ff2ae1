import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Predicts who survives: {@code java Inference.java MODEL PASSENGERS PREDICTIONS}. */
public class Inference {
    public static void main(String[] arguments) throws IOException {
        Map<String, Double> model = new LinkedHashMap<>();
        for (Map<String, String> row : read(Path.of(arguments[0]))) {
            model.put(row.get("term"), Double.valueOf(row.get("coefficient")));
        }
        List<String> predictions = new ArrayList<>(List.of("PassengerId,probability,survives"));
        int survivors = 0;
        List<Map<String, String>> passengers = read(Path.of(arguments[1]));
        for (Map<String, String> passenger : passengers) {
            double probability = probability(model, passenger);
            int survives = probability > 0.5 ? 1 : 0;
            survivors += survives;
            predictions.add(passenger.get("PassengerId") + "," + probability + "," + survives);
        }
        Files.write(Path.of(arguments[2]), predictions);
        System.out.printf("%d of %d passengers survive%n", survivors, passengers.size());
    }

    /** What the logistic regression says of one passenger. */
    private static double probability(Map<String, Double> model, Map<String, String> passenger) {
        double score = 0;
        for (Map.Entry<String, Double> term : model.entrySet()) {
            String value = term.getKey().equals("(intercept)") ? "1" : passenger.get(term.getKey());
            score += term.getValue() * Double.parseDouble(value);
        }
        return 1 / (1 + Math.exp(-score));
    }

    /** The rows of a CSV file without quotes, by the names of their columns. */
    private static List<Map<String, String>> read(Path file) throws IOException {
        List<String> lines = Files.readAllLines(file);
        String[] names = lines.get(0).split(",");
        List<Map<String, String>> rows = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] values = line.split(",");
            Map<String, String> row = new LinkedHashMap<>();
            for (int column = 0; column < names.length; column++) {
                row.put(names[column], values[column]);
            }
            rows.add(row);
        }
        return rows;
    }
}
