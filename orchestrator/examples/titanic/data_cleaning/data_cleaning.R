# Keeps the passengers of whom all is known, as numbers, and puts every n-th aside for the test:
# Rscript data_cleaning.R RAW TRAIN TEST N

arguments <- commandArgs(trailingOnly = TRUE)
test_every <- as.integer(arguments[4])
stopifnot("the last argument must be 2 or more" = test_every >= 2)

raw <- read.csv(arguments[1], na.strings = "")
columns <- c("PassengerId", "Survived", "Pclass", "Sex", "Age", "SibSp", "Parch", "Fare")
absent <- setdiff(columns, names(raw))
if (length(absent) > 0) stop(arguments[1], " has no column ", toString(absent))

passengers <- raw[columns]
clean <- passengers[complete.cases(passengers), ]
clean$Female <- as.integer(clean$Sex == "female")
clean$Sex <- NULL

is_test <- seq_len(nrow(clean)) %% test_every == 0
write.csv(clean[!is_test, ], arguments[2], row.names = FALSE, quote = FALSE)
write.csv(clean[is_test, ], arguments[3], row.names = FALSE, quote = FALSE)
cat(nrow(clean), "of", nrow(raw), "passengers kept,", sum(is_test), "for the test\n")

# What a step writes to this file become metrics of its run.
metrics <- c(
  rows_read = nrow(raw),
  rows_kept = nrow(clean),
  rows_dropped = nrow(raw) - nrow(clean),
  nulls = colSums(is.na(passengers))
)
file <- Sys.getenv("PIPELINE_METRICS")
if (nzchar(file)) writeLines(paste(names(metrics), metrics), file)
