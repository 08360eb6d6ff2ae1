mkdir -p rides && cd rides && mkdir -p make_data train describe
cat > MLproject <<'END'
name: rides
env_manager: local   # the Python you have; without this line every step gets its own
steps: [make_data, train, describe]
END
cat > make_data/MLproject <<'END'
entry_points:
  main:
    parameters:
      rows: {type: int, default: 1000}
      rides: {type: str, default: ../rides.csv}
    outputs: [rides]
    command: python3 make_data.py {rows} {rides}
END
cat > make_data/make_data.py <<'END'
import csv, random, sys, time

rows, path = int(sys.argv[1]), sys.argv[2]
random.seed(7)
time.sleep(2)  # a slow download
with open(path, "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["km", "minutes"])
    for _ in range(rows):
        km = random.uniform(1, 20)
        table.writerow([round(km, 2), round(4 + 2.5 * km + random.gauss(0, 3), 1)])
print("wrote", rows, "rides")
END
cat > train/MLproject <<'END'
entry_points:
  main:
    parameters:
      rides: {type: str, default: ../rides.csv}
      model: {type: str, default: ../model.json}
    inputs: [rides]
    outputs: [model]
    command: python3 train.py {rides} {model}
END
cat > train/train.py <<'END'
import csv, json, os, statistics, sys, time

with open(sys.argv[1], newline="") as file:
    rides = [(float(row["km"]), float(row["minutes"])) for row in csv.DictReader(file)]
time.sleep(2)  # a long training
slope, start = statistics.linear_regression(*zip(*rides))
with open(sys.argv[2], "w") as file:
    json.dump({"start": start, "slope": slope}, file)

error = statistics.fmean(abs(start + slope * km - minutes) for km, minutes in rides)
print(f"minutes = {start:.2f} + {slope:.2f} * km, error {error:.2f}")
with open(os.environ.get("PIPELINE_METRICS", os.devnull), "a") as file:
    print("error", error, file=file)  # becomes a metric in MLflow
END
cat > describe/MLproject <<'END'
entry_points:
  main:
    parameters:
      rides: {type: str, default: ../rides.csv}
      summary: {type: str, default: ../summary.txt}
    inputs: [rides]
    outputs: [summary]
    command: python3 describe.py {rides} {summary}
END
cat > describe/describe.py <<'END'
import csv, statistics, sys, time

with open(sys.argv[1], newline="") as file:
    minutes = [float(row["minutes"]) for row in csv.DictReader(file)]
time.sleep(2)  # slow plots
with open(sys.argv[2], "w") as file:
    print(f"{len(minutes)} rides, median {statistics.median(minutes)} minutes", file=file)
print("wrote the summary")
END
