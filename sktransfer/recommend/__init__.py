"""Recommendations of items by their content and by what users liked."""

from sktransfer.recommend._content_recommender import ContentRecommender as ContentRecommender
