"""Recognise handwritten digits: a sweep over models, and for each over its settings."""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from flowkit import FlowSpec, Parameter, card, current, resources, step
from flowkit.cards import Image, Markdown, Table, ValueBox

CANDIDATES = {
    "forest": [{"n_estimators": 50}, {"n_estimators": 100}, {"n_estimators": 200}],
    "logistic": [{"C": 0.01}, {"C": 0.1}, {"C": 1.0}],
    "neighbours": [{"n_neighbors": 1}, {"n_neighbors": 3}, {"n_neighbors": 9}],
    "vectors": [{"gamma": 0.0005}, {"gamma": 0.001}, {"gamma": 0.005}],
}


class Digits(FlowSpec):
    """Train several kinds of models on 1,797 images of digits, and keep the best one."""

    seed: int = Parameter(default=7, help="decides the split and the forests; same seed, same run")
    folds: int = Parameter(default=3, help="parts of the training set in cross-validation")
    test_share: float = Parameter(default=0.25, help="share of the images kept for the last test")
    models: list[str] = Parameter(
        default="forest,logistic,neighbours,vectors",
        separator=",",
        help="kinds of models to try",
    )

    @step
    def start(self):
        images, labels = load_digits(return_X_y=True)
        self.train_x, self.test_x, self.train_y, self.test_y = train_test_split(
            images, labels, test_size=self.test_share, random_state=self.seed, stratify=labels
        )
        print(f"{len(self.train_y)} images to learn from, {len(self.test_y)} to test with")
        self.next(self.sweep, foreach="models")

    @step
    def sweep(self):
        self.model = self.input
        self.candidates = CANDIDATES[self.model]
        self.next(self.train, foreach="candidates")

    @resources(cpu=1, memory=1000)
    @step
    def train(self):
        self.settings = self.input
        estimator = make_estimator(self.model, self.settings, self.seed)
        scores = cross_val_score(estimator, self.train_x, self.train_y, cv=self.folds)
        self.score = float(scores.mean())
        print(f"{self.model} {self.settings}: {self.score:.4f}")
        self.next(self.pick)

    @step
    def pick(self, inputs):
        best = max(inputs, key=lambda one: one.score)
        self.model, self.settings, self.score = best.model, best.settings, best.score
        self.merge_artifacts(inputs, include=["train_x", "train_y", "test_x", "test_y"])
        self.next(self.compare)

    @card(type="blank", options={"title": "Which model reads digits best?"})
    @step
    def compare(self, inputs):
        self.ranking = sorted(
            ((one.score, one.model, one.settings) for one in inputs),
            key=lambda row: row[0],
            reverse=True,
        )
        self.merge_artifacts(inputs, include=["train_x", "train_y", "test_x", "test_y"])
        _, self.model, self.settings = self.ranking[0]
        self.estimator = make_estimator(self.model, self.settings, self.seed)
        self.estimator.fit(self.train_x, self.train_y)
        self.accuracy = float(self.estimator.score(self.test_x, self.test_y))
        self.confusion = confusion_matrix(self.test_y, self.estimator.predict(self.test_x))
        self.report = as_table(self.confusion)
        print(self.report)
        self.show()
        self.next(self.end)

    @step
    def end(self):
        for score, model, settings in self.ranking:
            print(f"{score:.4f}  {model} {settings}")
        print(f"winner: {self.model} {self.settings}, {self.accuracy:.4f} on unseen images")
        print(f"take it with Run('{current.flow_name}/{current.run_id}').data.estimator")

    def show(self):
        """Fill the card: the winner, the ranking, and the images that were read wrongly."""
        guesses = self.estimator.predict(self.test_x)
        wrong = [at for at, guess in enumerate(guesses) if guess != self.test_y[at]]
        seen = [(Image(self.test_x[at].reshape(8, 8) / 16), at) for at in wrong[:12]]
        current.card.extend(
            [
                ValueBox("Winner", self.model, str(self.settings)),
                ValueBox("Accuracy", f"{self.accuracy:.2%}", "on unseen images", theme="success"),
                ValueBox("Read wrongly", len(wrong), f"of {len(guesses)} images", theme="warning"),
                Markdown("## Ranking\n\nBy cross-validation, the best settings of each kind."),
                Table(self.ranking, headers=["score", "model", "settings"]),
                Markdown("## Confusion\n\nA row for each true digit, a column for each guess."),
                Table(
                    [[digit, *map(int, row)] for digit, row in enumerate(self.confusion)],
                    headers=["true", *range(10)],
                ),
                Markdown("## Read wrongly"),
                Table(
                    [[one, int(self.test_y[at]), int(guesses[at])] for one, at in seen],
                    headers=["image", "true", "guess"],
                ),
            ]
        )


def make_estimator(model, settings, seed):
    """Make an untrained model of a kind."""
    if model == "forest":
        return RandomForestClassifier(random_state=seed, **settings)
    if model == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, **settings))
    if model == "neighbours":
        return KNeighborsClassifier(**settings)
    return SVC(**settings)


def as_table(confusion):
    """Write a confusion matrix as text: a row for each true digit, a column for each guess."""
    head = "true\\guess" + "".join(f"{guess:>5}" for guess in range(10))
    rows = [f"{true:>10}" + "".join(f"{n:>5}" for n in row) for true, row in enumerate(confusion)]
    return "\n".join([head, *rows])


if __name__ == "__main__":
    Digits()
