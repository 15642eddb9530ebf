"""Search for rows that are similar: exact and approximate, by the cosine of features."""

from sktransfer.neighbors._near_pairs import near_pairs as near_pairs
from sktransfer.neighbors._near_pairs import unit_rows as unit_rows
from sktransfer.neighbors._nearest_rows import nearest_rows as nearest_rows
from sktransfer.neighbors._similarity_search import SimilaritySearch as SimilaritySearch
